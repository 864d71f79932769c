/* The serial protocol on Zephyr's console UART, polled: the network runs in the main thread, which nothing else needs.
 *
 * Time is the kernel's cycle counter in microseconds.  It has 32 bits, so it is read at every turn of the loop.
 */
#include <stdbool.h>
#include <stdint.h>

#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/reboot.h>

#include "wvv_serial_protocol.h"
#include "wvv_model.h"

static const struct device *const uart = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));
static uint32_t last_cycles;
static uint64_t cycles;

static uint64_t count_cycles(void) {
  const uint32_t now = k_cycle_get_32();
  cycles += now - last_cycles;
  last_cycles = now;
  return cycles;
}

static void put(char character) { uart_poll_out(uart, (unsigned char)character); }

static bool microseconds(uint64_t *now) {
  *now = k_cyc_to_us_floor64(count_cycles());
  return true;
}

static uint32_t run_once(int32_t *status) {
  const uint64_t before = count_cycles();
  *status = wvv_model.run();
  return (uint32_t)k_cyc_to_us_floor64(count_cycles() - before);
}

static uint32_t stack_used(void) {
  size_t unused = 0;
  (void)k_thread_stack_space_get(k_current_get(), &unused);
  return (uint32_t)(CONFIG_MAIN_STACK_SIZE - unused);
}

static void reset(void) { sys_reboot(SYS_REBOOT_COLD); }

int main(void) {
  static struct wvv_serial serial;
  static const struct wvv_serial_device device = {put, microseconds, run_once, stack_used, reset};
  if (!device_is_ready(uart)) {
    return 1;
  }
  last_cycles = k_cycle_get_32();
  wvv_serial_open(&serial, &device);
  for (;;) {
    unsigned char byte;
    if (uart_poll_in(uart, &byte) == 0) {
      wvv_serial_feed(&serial, byte);
    } else {
      (void)count_cycles();
    }
  }
}
