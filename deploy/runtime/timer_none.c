/* A board without a timer for counting: every span is too long to count, so every figure is unknown. */
#include "wvv_timer.h"

const struct wvv_timer_wrap wvv_timer_wrap = {0u, 0u};

void wvv_timer_open(void) {}

void wvv_timer_restart(void) {}

uint32_t wvv_timer_ticks(void) { return WVV_TIMER_FULL; }

void wvv_timer_close(void) {}
