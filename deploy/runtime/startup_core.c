/* The start that all Cortex-M boards share: board set-up, painted stack, .data, .bss, main. */
#include "wvv_io.h"
#include "wvv_startup.h"

extern uint32_t wvv_data_start[], wvv_data_end[], wvv_data_load[], wvv_bss_start[], wvv_bss_end[];
extern uint32_t wvv_arena_start[], wvv_arena_end[];

int main(void);

static void paint_stack(void) {
  uint32_t *end;
  /* Only words below the stack pointer are free, and the loop calls nothing that could use them. */
  __asm__ volatile("mov %0, sp" : "=r"(end));
  for (volatile uint32_t *word = wvv_stack_limit; word < end; ++word) {
    *word = WVV_STACK_PAINT;
  }
}

_Noreturn void wvv_reset(void) {
  wvv_board_init();
  paint_stack();
  const uint32_t *from = wvv_data_load;
  for (uint32_t *to = wvv_data_start; to < wvv_data_end; ++to) {
    *to = *from++;
  }
  for (uint32_t *to = wvv_bss_start; to < wvv_bss_end; ++to) {
    *to = 0u;
  }
  /* Memory with error correction must be written before any of it is read. */
  for (uint32_t *to = wvv_arena_start; to < wvv_arena_end; ++to) {
    *to = 0u;
  }
  wvv_exit((enum wvv_status)main());
}
