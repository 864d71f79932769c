/* How far the stack has ever come down, read from the paint that startup_core.c put there. */
#include "wvv_startup.h"

uint32_t wvv_stack_used(void) {
  const volatile uint32_t *word = wvv_stack_limit;
  while (word < wvv_stack_top && *word == WVV_STACK_PAINT) {
    ++word;
  }
  return (uint32_t)((uintptr_t)wvv_stack_top - (uintptr_t)word);
}

bool wvv_stack_overflowed(void) { return wvv_stack_limit[0] != WVV_STACK_PAINT; }
