/* Runs the model for a host on a serial line: serial_protocol.c on this board's UART and timer.
 *
 * Never ends.  A processor fault is told and then starts the device anew (serial_io.c).
 */
#include "wvv_serial_protocol.h"
#include "wvv_model.h"
#include "wvv_startup.h"
#include "wvv_timer.h"
#include "wvv_uart.h"

#ifndef WVV_TIMER_HZ
#define WVV_TIMER_HZ 1u /* timer_none.c: never used, because every span is unknown */
#endif
#ifndef WVV_CPU_HZ
#define WVV_CPU_HZ 200000000u /* only for a delay, which may be too long */
#endif

/* Ticks of all spans before the one that the timer counts, and whether, since the time was last asked for, one of them
 * was too long to count: a difference of two times that spans it would be wrong. */
static uint64_t ticks_before;
static bool clock_lost;

/* Ends the timer's span and begins the next: the ticks of the one that ended. */
static uint32_t next_span(void) {
  const uint32_t ticks = wvv_timer_ticks();
  wvv_timer_restart();
  clock_lost |= ticks == WVV_TIMER_FULL;
  ticks_before += ticks;
  return ticks;
}

static bool microseconds(uint64_t *now) {
  (void)next_span();
  const uint64_t seconds = ticks_before / WVV_TIMER_HZ, rest = ticks_before % WVV_TIMER_HZ;
  *now = seconds * 1000000u + rest * 1000000u / WVV_TIMER_HZ;
  const bool known = !clock_lost;
  clock_lost = false;
  return known;
}

static uint32_t run_once(int32_t *status) {
  (void)next_span();
  *status = wvv_model.run();
  return next_span();
}

static void put(char character) { wvv_uart_put((uint8_t)character); }

/* What a UART still holds, 32 characters of 10 bits at most, goes out before a reset would cut it off. */
static void drain(void) {
  for (volatile uint32_t left = WVV_CPU_HZ / WVV_UART_BAUD * 320u; left > 0u; --left) {
  }
}

/* AIRCR.SYSRESETREQ (Armv7-M B3.2.6). */
_Noreturn void wvv_restart(void) {
  drain();
  __asm__ volatile("dsb" ::: "memory");
  *(volatile uint32_t *)0xe000ed0cu = 0x05fa0004u;
  for (;;) {
  }
}

int main(void) {
  static struct wvv_serial serial;
  static const struct wvv_serial_device device = {put, microseconds, run_once, wvv_stack_used, wvv_restart};
  wvv_uart_open();
  wvv_timer_open();
  wvv_serial_open(&serial, &device);
  for (;;) {
    uint8_t byte;
    if (wvv_uart_get(&byte)) {
      wvv_serial_feed(&serial, byte);
    } else if (wvv_timer_ticks() > WVV_TIMER_FULL / 2u) {
      (void)next_span(); /* long before the timer is full, however long the host is silent */
    }
  }
}
