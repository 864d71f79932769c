/* A timer that counts up from 0 since its last restart, at the rate that board.toml states.
 * It stops at WVV_TIMER_FULL, so that a span that is too long is reported as unknown and never as a small number. */
#ifndef WVV_TIMER_H
#define WVV_TIMER_H

#include <stdint.h>

#define WVV_TIMER_FULL 0xffffffffu

/* A timer narrower than 32 bits counts its wraps in an interrupt, whose instructions fall into the span: so many after
 * each `ticks` ticks.  The host subtracts them.  Both are 0 where nothing interrupts. */
struct wvv_timer_wrap {
  uint32_t ticks;
  uint32_t instructions;
};
extern const struct wvv_timer_wrap wvv_timer_wrap;

void wvv_timer_open(void);
void wvv_timer_restart(void);
uint32_t wvv_timer_ticks(void);

/* No interrupt comes after this one. */
void wvv_timer_close(void);

#endif
