/* zephyr/kernel.h: the cycle counter, and the main thread's stack. */
#ifndef STUB_ZEPHYR_KERNEL_H
#define STUB_ZEPHYR_KERNEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct k_thread *k_tid_t;

uint32_t k_cycle_get_32(void);
uint64_t k_cyc_to_us_floor64(uint64_t t);
k_tid_t k_current_get(void);
int k_thread_stack_space_get(const struct k_thread *thread, size_t *unused_ptr);

#endif
