/* What a board's startup.c needs to state its vector table and to join the common start of Cortex-M cores. */
#ifndef WVV_STARTUP_H
#define WVV_STARTUP_H

#include <stdint.h>

/* Set by sections.ld and memory.ld.  The stack is the lowest thing in RAM: running over its limit leaves RAM and
 * faults, instead of quietly changing the arena.  Where the addresses below RAM do not fault by themselves,
 * wvv_board_init protects them. */
extern uint32_t wvv_stack_limit[];
extern uint32_t wvv_stack_top[];

/* Armv7-M architecture reference manual B1.5.3: the first word is the initial stack pointer, then 15 exceptions. */
struct wvv_vectors {
  uint32_t *stack_top;
  void (*handlers[15])(void);
};

_Noreturn void wvv_reset(void);
void wvv_fault(void);

/* No interrupt is ever enabled, so the table ends after the system exceptions; all of them are faults here. */
#define WVV_CORE_VECTORS                                                                                           \
  {                                                                                                                \
    wvv_stack_top, {                                                                                               \
      wvv_reset, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault,           \
          wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault                                         \
    }                                                                                                              \
  }

#define WVV_VECTOR_TABLE __attribute__((section(".vectors"), used)) const struct wvv_vectors wvv_vectors

/* The board's own part of the start: floating point, clocks, caches.  Called before .data and .bss are set. */
void wvv_board_init(void);

/* Full access to coprocessors 10 and 11 (CPACR, Armv7-M B3.2.20); before it any floating-point instruction faults. */
static inline void wvv_enable_fpu(void) {
  *(volatile uint32_t *)0xe000ed88u |= 0x00f00000u;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* Regions of the memory protection unit of Armv7-M (PMSAv7, architecture reference manual B3.5).  `base` is a multiple
 * of the size, which is 2^log2_bytes.  A later region wins over an earlier one. */
enum wvv_access { WVV_NO_ACCESS = 0x10000000, WVV_READ_ONLY = 0x06020000 };

static inline void wvv_protect(uint32_t region, uint32_t base, uint32_t log2_bytes, enum wvv_access access) {
  *(volatile uint32_t *)0xe000ed9cu = base | 0x10u | region;
  *(volatile uint32_t *)0xe000eda0u = (uint32_t)access | ((log2_bytes - 1u) << 1) | 1u;
}

/* What no region covers keeps its default access; fault handlers run without the unit. */
static inline void wvv_protect_enable(void) {
  *(volatile uint32_t *)0xe000ed94u = 5u;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* What is left of each stack word that was never used. */
#define WVV_STACK_PAINT 0x5afe57acu

#endif
