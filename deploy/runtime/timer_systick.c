/* SysTick, which every Armv7-M and Armv8-M core has (Arm DDI 0403 B3.3, DDI 0553), on the core's own clock or, where
 * board.toml states another rate, on the chip's reference clock.  It has 24 bits and counts down; at each 0 its
 * exception counts one wrap. */
#include "wvv_startup.h"
#include "wvv_timer.h"

#ifndef WVV_TIMER_BASE
#error "board.toml: timer.base is needed for a timer of the kind systick"
#endif

struct systick {
  volatile uint32_t control;
  volatile uint32_t reload;
  volatile uint32_t value;
};

#define TIMER ((struct systick *)WVV_TIMER_BASE)
#define CONTROL_RUN (WVV_TIMER_HZ == WVV_CPU_HZ ? 7u : 3u) /* enabled, with the exception; bit 2 is the core's clock */
#define INTERRUPT_CONTROL (*(volatile uint32_t *)0xe000ed04u)
#define CLEAR_PENDING_TICK 0x02000000u
#define BITS 24u
#define PERIOD (1u << BITS)

/* The body of wvv_tick; entry and exit of an exception are no instructions. */
const struct wvv_timer_wrap wvv_timer_wrap = {PERIOD, 5u};

volatile uint32_t wvv_timer_wraps;

__attribute__((naked)) void wvv_tick(void) {
  __asm__ volatile(
      "ldr  r0, =wvv_timer_wraps\n\t"
      "ldr  r1, [r0]\n\t"
      "adds r1, r1, #1\n\t"
      "str  r1, [r0]\n\t"
      "bx   lr\n\t"
      ".ltorg");
}

void wvv_timer_open(void) {
  TIMER->reload = PERIOD - 1u;
  wvv_timer_restart();
}

void wvv_timer_close(void) {
  TIMER->control = 0u;
  INTERRUPT_CONTROL = CLEAR_PENDING_TICK;
}

/* Stopped meanwhile, so that no tick of the span before is counted in the one that begins. */
void wvv_timer_restart(void) {
  wvv_timer_close();
  wvv_timer_wraps = 0u;
  TIMER->value = 0u; /* any write clears it; it shows 0 for one tick more, then PERIOD - 1 */
  TIMER->control = CONTROL_RUN;
}

uint32_t wvv_timer_ticks(void) {
  const uint32_t before = wvv_timer_wraps;
  const uint32_t since_wrap = (0u - TIMER->value) & (PERIOD - 1u);
  const uint32_t after = wvv_timer_wraps;
  /* Only right after a wrap is the later of both the one that belongs to the value. */
  const uint32_t wraps = since_wrap < PERIOD / 2u ? after : before;
  return wraps < WVV_TIMER_FULL >> BITS ? wraps << BITS | since_wrap : WVV_TIMER_FULL;
}
