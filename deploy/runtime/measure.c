/* Counting on the device: each span between two restarts of the timer becomes one line of `profile.txt`.
 *
 * Whatever is written happens after the timer was read and before it is restarted, so it is never counted.  What a
 * mark costs besides is measured once on the spot (`mark WVV_MARK_COST`), and so is the way in and out of a run
 * (`empty`): the host subtracts both, and an empty layer counts 0.
 */
#include <string.h>

#include "wvv_io.h"
#include "wvv_measure.h"
#include "wvv_model.h"
#include "wvv_startup.h"
#include "wvv_text.h"
#include "wvv_timer.h"

static int32_t profile_file;

static void write_text(const char *text) { wvv_write(profile_file, text, (uint32_t)strlen(text)); }

static void write_number(const char *before, uint32_t value) {
  char text[WVV_TEXT_BYTES];
  write_text(before);
  write_text(wvv_decimal(text, value));
}

/* Not inlined: both calls must execute the very same instructions around `run`. */
__attribute__((noipa)) static int32_t count_run(int32_t (*run)(void), const char *label) {
  wvv_timer_restart();
  const int32_t status = run();
  const uint32_t ticks = wvv_timer_ticks();
  write_number(label, ticks);
  write_text("\n");
  return status;
}

/* Exactly one instruction, whose return value nobody reads. */
__attribute__((naked)) static int32_t run_nothing(void) { __asm__ volatile("bx lr"); }

#ifdef WVV_PROFILE
#define WVV_MARK_COST 0xfffffffeu

static uint32_t recording; /* only the first example is recorded: later ones repeat it */

/* Not inlined either, so that the calls below cost what the generated code's calls cost. */
__attribute__((noipa)) void wvv_layer_mark(uint32_t layer) {
  if (recording == 0u) {
    return;
  }
  const uint32_t ticks = wvv_timer_ticks();
  write_number("mark ", layer);
  write_number(" ", ticks);
  write_text("\n");
  wvv_timer_restart();
}

/* Two marks with nothing between them; the second one's span is what a mark costs its caller. */
static void count_mark(void) {
  wvv_layer_mark(WVV_LAYER_START);
  wvv_layer_mark(WVV_MARK_COST);
  __asm__ volatile(""); /* keeps the second call from becoming a jump, which takes other instructions */
}

static void set_recording(uint32_t on) { recording = on; }
#else
static void count_mark(void) {}
static void set_recording(uint32_t on) { (void)on; }
#endif

void wvv_measure_open(void) {
  profile_file = wvv_open("profile.txt", true);
  write_number("wrap ", wvv_timer_wrap.ticks);
  write_number(" ", wvv_timer_wrap.instructions);
  write_text("\n");
  wvv_timer_open();
  set_recording(1u);
  count_mark();
  (void)count_run(run_nothing, "empty ");
}

int32_t wvv_measure_run(int32_t (*run)(void)) {
  const int32_t status = count_run(run, "end ");
  set_recording(0u);
  wvv_timer_close();
  return status;
}

void wvv_measure_close(void) {
  if (wvv_stack_overflowed()) {
    wvv_say("stack overflow\n");
    wvv_exit(WVV_STACK_OVERFLOW);
  }
  write_number("stack ", wvv_stack_used());
  write_text("\n");
}
