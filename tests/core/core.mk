test-core:
test-docs:
