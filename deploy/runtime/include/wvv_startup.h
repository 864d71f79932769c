/* What a board's startup.c needs to state its vector table and to join the common start of Cortex-M cores. */
#ifndef WVV_STARTUP_H
#define WVV_STARTUP_H

#include <stdbool.h>
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

/* Resets the device, in firmware on a serial line (serial_main.c). */
_Noreturn void wvv_restart(void);
void wvv_fault(void);

/* The last of the 15, SysTick: a fault too, unless timer_systick.c is linked, which defines it. */
void wvv_tick(void);

/* No interrupt is ever enabled, so the table ends after the system exceptions; all but the last are faults here. */
#define WVV_CORE_VECTORS                                                                                           \
  {                                                                                                                \
    wvv_stack_top, {                                                                                               \
      wvv_reset, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault,           \
          wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_fault, wvv_tick                                          \
    }                                                                                                              \
  }

#define WVV_VECTOR_TABLE __attribute__((section(".vectors"), used)) const struct wvv_vectors wvv_vectors

/* The board's own part of the start: floating point, clocks, caches, pins of the UART.  Called before .data and .bss are
 * set, so it must use neither. */
void wvv_board_init(void);

#define WVV_REGISTER(address) (*(volatile uint32_t *)(address))

/* Lets faults use this image's table where a boot loader ran before and may have left its own (VTOR, Armv7-M
 * B3.2.5). */
static inline void wvv_use_vectors(const struct wvv_vectors *vectors) {
  WVV_REGISTER(0xe000ed08u) = (uint32_t)vectors;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* Full access to coprocessors 10 and 11 (CPACR, Armv7-M B3.2.20); before it any floating-point or MVE instruction
 * faults. */
static inline void wvv_enable_fpu(void) {
  *(volatile uint32_t *)0xe000ed88u |= 0x00f00000u;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

#if __ARM_ARCH < 8
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
#else
/* Regions of the memory protection unit of Armv8-M (PMSAv8, Arm DDI 0553).  It has no region that refuses, so whatever
 * no region allows is refused; the core's own registers stay accessible.
 * `first` is the first byte and `last` the last one, of whole lines of 32 bytes; regions must not overlap. */
enum wvv_access { WVV_READ_ONLY = 0x006, WVV_READ_WRITE = 0x003, WVV_DEVICE = 0x103 };

static inline void wvv_allow(uint32_t region, uint32_t first, uint32_t last, enum wvv_access access) {
  *(volatile uint32_t *)0xe000ed98u = region;
  *(volatile uint32_t *)0xe000ed9cu = first | ((uint32_t)access & 31u);
  *(volatile uint32_t *)0xe000eda0u = (last & ~31u) | ((uint32_t)access >> 8) << 1 | 1u;
}

/* The stack pointer gets a limit besides, below which any push faults before it writes (MSPLIM). */
static inline void wvv_protect_enable(void) {
  __asm__ volatile("msr msplim, %0" ::"r"(wvv_stack_limit));
  *(volatile uint32_t *)0xe000edc0u = 0x0444u; /* MAIR0: 0 is normal memory, 1 (WVV_DEVICE) is device memory */
  *(volatile uint32_t *)0xe000ed94u = 1u;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}
#endif

/* What is left of each stack word that was never used. */
#define WVV_STACK_PAINT 0x5afe57acu

/* The most bytes of stack that were ever in use. */
uint32_t wvv_stack_used(void);

/* Whether the stack ever reached its last word, which nothing should. */
bool wvv_stack_overflowed(void);

#endif
