/* The core's own cycle counter, DWT CYCCNT (Arm DDI 0403 C1.8, DDI 0553), on real parts; QEMU's always reads 0.
 *
 * It has 32 bits and wraps without a word.  SysTick comes 256 times while it goes round once and looks whether it has:
 * from then on the span is too long to tell.
 */
#include "wvv_startup.h"
#include "wvv_timer.h"

#ifndef WVV_CORE_BASE
#define WVV_CORE_BASE 0xe0000000u /* the core's own registers; a test has its own */
#endif
#define REGISTER(offset) (*(volatile uint32_t *)(WVV_CORE_BASE + (offset)))
#define DEBUG_CONTROL REGISTER(0xedfcu)
#define TRACE_ENABLE 0x01000000u
#define DWT_UNLOCK REGISTER(0x1fb0u) /* the Cortex-M7 locks the unit; others ignore the write */
#define UNLOCK_KEY 0xc5acce55u
#define DWT_CONTROL REGISTER(0x1000u)
#define DWT_CYCLES REGISTER(0x1004u)
#define TICK_CONTROL REGISTER(0xe010u)
#define TICK_RELOAD REGISTER(0xe014u)
#define TICK_RUN 7u /* enabled, with its exception, on the core's clock */

/* The few cycles of an exception every 2^24 are within the measurement. */
const struct wvv_timer_wrap wvv_timer_wrap = {0u, 0u};

static volatile uint32_t start, seen, wrapped;

void wvv_tick(void) {
  const uint32_t elapsed = DWT_CYCLES - start;
  if (elapsed < seen) {
    wrapped = 1u;
  }
  seen = elapsed;
}

void wvv_timer_open(void) {
  DEBUG_CONTROL |= TRACE_ENABLE;
  DWT_UNLOCK = UNLOCK_KEY;
  DWT_CONTROL |= 1u;
  TICK_RELOAD = 0x00ffffffu;
  wvv_timer_restart();
}

void wvv_timer_close(void) { TICK_CONTROL = 0u; }

void wvv_timer_restart(void) {
  wvv_timer_close();
  wrapped = 0u;
  seen = 0u;
  start = DWT_CYCLES;
  TICK_CONTROL = TICK_RUN;
}

uint32_t wvv_timer_ticks(void) {
  const uint32_t before = seen;
  const uint32_t elapsed = DWT_CYCLES - start;
  return wrapped != 0u || elapsed < before ? WVV_TIMER_FULL : elapsed;
}
