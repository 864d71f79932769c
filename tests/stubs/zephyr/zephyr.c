/* The calls that the headers beside declare. The cycle counter counts four a microsecond. */
#include <stdlib.h>

#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/reboot.h>

#include "line.h"

#define UNUSED_STACK 1000u

const struct device stub_zephyr_console = {"console"};

int uart_poll_in(const struct device *dev, unsigned char *p_char) {
  (void)dev;
  const int byte = stub_get();
  if (byte < 0) {
    return -1;
  }
  *p_char = (unsigned char)byte;
  return 0;
}

void uart_poll_out(const struct device *dev, unsigned char out_char) {
  (void)dev;
  stub_put(out_char);
}

uint32_t k_cycle_get_32(void) { return stub_microseconds() * 4u; }

uint64_t k_cyc_to_us_floor64(uint64_t t) { return t / 4u; }

k_tid_t k_current_get(void) { return NULL; }

int k_thread_stack_space_get(const struct k_thread *thread, size_t *unused_ptr) {
  (void)thread;
  *unused_ptr = UNUSED_STACK;
  return 0;
}

_Noreturn void sys_reboot(int type) {
  (void)type;
  stub_reset();
  abort();
}
