/* A timer that counts up from 0 since its last restart, at the rate that board.toml states.
 * It stops at WVV_TIMER_FULL, so that a span that is too long is reported as unknown and never as a small number. */
#ifndef WVV_TIMER_H
#define WVV_TIMER_H

#include <stdint.h>

#define WVV_TIMER_FULL 0xffffffffu

void wvv_timer_open(void);
void wvv_timer_restart(void);
uint32_t wvv_timer_ticks(void);

#endif
