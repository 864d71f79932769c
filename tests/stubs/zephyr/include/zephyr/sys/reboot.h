/* zephyr/sys/reboot.h */
#ifndef STUB_ZEPHYR_REBOOT_H
#define STUB_ZEPHYR_REBOOT_H

#define SYS_REBOOT_COLD 1
_Noreturn void sys_reboot(int type);

#endif
