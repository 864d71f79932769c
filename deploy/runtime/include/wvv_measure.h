/* Counts and the stack's high-water mark of a run, left in `profile.txt` as raw timer ticks.
 *
 * A line is a word and numbers: `wrap TICKS INSTRUCTIONS` (wvv_timer.h), `empty T`, `mark LAYER T`, `end T`,
 * `stack BYTES`.  The host turns ticks into instructions (`tvm_wvv/micro/profile_log.py`), because only it knows how
 * fast QEMU let the timer run.  The stack's figure includes the frame of the timer's interrupt, where it has one and
 * that came at a deep place: at most 108 bytes.
 * The host twin of this interface does nothing.
 */
#ifndef WVV_MEASURE_H
#define WVV_MEASURE_H

#include <stdint.h>

void wvv_measure_open(void);

/* Calls `run` once, counting; the result is that of `run`. */
int32_t wvv_measure_run(int32_t (*run)(void));

/* Once, after the last example: writes the stack's high-water mark, and exits if the stack ever overflowed. */
void wvv_measure_close(void);

#endif
