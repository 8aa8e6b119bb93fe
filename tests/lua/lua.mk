test-lua:
