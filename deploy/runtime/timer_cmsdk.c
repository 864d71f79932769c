/* The Cortex-M System Design Kit's APB timer (Arm DDI 0479, section 4.3): 32 bits, counts down to its reload value.
 * With a reload value of 0 it stays at 0 once it gets there, which is the stop that wvv_timer.h promises. */
#include "wvv_timer.h"

#ifndef WVV_TIMER_BASE
#error "board.toml: timer.base is needed for a timer of the kind cmsdk"
#endif

struct cmsdk_timer {
  volatile uint32_t control;
  volatile uint32_t value;
  volatile uint32_t reload;
};

#define TIMER ((struct cmsdk_timer *)WVV_TIMER_BASE)
#define CONTROL_ENABLE 1u

const struct wvv_timer_wrap wvv_timer_wrap = {0u, 0u};

void wvv_timer_open(void) {
  TIMER->control = 0u;
  TIMER->reload = 0u;
  TIMER->value = WVV_TIMER_FULL;
  TIMER->control = CONTROL_ENABLE;
}

void wvv_timer_restart(void) { TIMER->value = WVV_TIMER_FULL; }

uint32_t wvv_timer_ticks(void) { return WVV_TIMER_FULL - TIMER->value; }

void wvv_timer_close(void) {}
