/* Every processor fault ends here: one line on the console, then an exit code that the runner explains.
 * A breakpoint or an endless loop would leave QEMU in lock-up and the user with a time-out. */
#include "wvv_io.h"
#include "wvv_startup.h"
#include "wvv_text.h"

/* Large enough for wvv_fault_report; the ordinary stack may be what failed. */
#define FAULT_STACK_WORDS 128
uint32_t wvv_fault_stack[FAULT_STACK_WORDS] __attribute__((aligned(8)));

_Noreturn void wvv_fault_report(const uint32_t *frame, uint32_t exception);

__attribute__((naked)) void wvv_fault(void) {
  __asm__ volatile(
      "mov  r0, sp\n\t"
      "mrs  r1, ipsr\n\t"
      "ldr  r2, =wvv_fault_stack + 4 * %c0\n\t"
      "mov  sp, r2\n\t"
      "ldr  r2, =wvv_fault_report\n\t"
      "bx   r2\n\t"
      ".ltorg" ::"i"(FAULT_STACK_WORDS));
}

/* A tick that no driver asked for (wvv_startup.h). */
void wvv_tick(void) __attribute__((weak, alias("wvv_fault")));

#if __ARM_ARCH >= 7
/* CFSR, which Armv6-M and Armv8-M Baseline lack, tells the kind of fault (Armv7-M B3.2.15). */
static uint32_t fault_status(void) { return *(const volatile uint32_t *)0xe000ed28u; }
#else
static uint32_t fault_status(void) { return 0u; }
#endif
#define STACK_LIMIT_HIT 0x00100000u /* STKOF, from Armv8-M on: the stack pointer would have gone below MSPLIM */

static void say_word(const char *label, uint32_t value) {
  char text[WVV_TEXT_BYTES];
  wvv_say(label);
  wvv_say(wvv_hex(text, value));
}

_Noreturn void wvv_fault_report(const uint32_t *frame, uint32_t exception) {
  /* Compared as numbers: the pointer may lie outside of every object. */
  const uintptr_t at = (uintptr_t)frame;
  /* The exception frame is 8 words; a frame below the limit could not be pushed and must not be read. */
  if (at < (uintptr_t)wvv_stack_limit || at + 32u > (uintptr_t)wvv_stack_top ||
      (fault_status() & STACK_LIMIT_HIT) != 0u) {
    wvv_say("stack overflow\n");
    wvv_exit(WVV_STACK_OVERFLOW);
  }
  say_word("fault: exception ", exception);
  say_word(" pc ", frame[6]);
  say_word(" lr ", frame[5]);
  say_word(" cfsr ", fault_status());
  wvv_say("\n");
  /* A changed last word means that the stack had run over, whatever faulted in the end. */
  wvv_exit(wvv_stack_limit[0] == WVV_STACK_PAINT ? WVV_FAULT : WVV_STACK_OVERFLOW);
}
