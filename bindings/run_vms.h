/* What `hakmem run` says to the VMs that it may start, by variables that they read themselves. */
#ifndef HAK_RUN_VMS_H
#define HAK_RUN_VMS_H

/* Python: a sitecustomize module in `folder`/hakmem-run comes first; HAKMEM_PYTHON is set unless it
 * is. Lua: the interpreters' LUA_INIT loads the module hakmem.auto first, if it is there; unless
 * HAKMEM_LUA is off. Another value of it is a line on stderr. */
void hak__run_vms(const char *folder);

#endif
