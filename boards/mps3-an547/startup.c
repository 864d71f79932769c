/* Start of the Cortex-M55 on the MPS3 board, secure state; clocks need no set-up.  The caches stay off: QEMU models
 * none, and instruction counts do not depend on them.
 *
 * The protection unit allows what board.toml names and refuses the rest: code is RAM here and would take writes.
 */
#include "wvv_startup.h"

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* CCR.LOB lets the core remember where a low-overhead loop ends, so that its LE costs nothing after the first round
 * (Arm DDI 0553, low-overhead loops).  QEMU executes and counts each LE, with the bit and without. */
static void enable_loops(void) {
  *(volatile uint32_t *)0xe000ed14u |= 1u << 19;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
}

/* Addresses are those of board.toml. */
void wvv_board_init(void) {
  wvv_enable_fpu();
  enable_loops();
  wvv_allow(0u, 0x10000000u, 0x1007ffffu, WVV_READ_ONLY);  /* code */
  wvv_allow(1u, 0x30000000u, 0x3007ffffu, WVV_READ_WRITE); /* ram */
  wvv_allow(2u, 0x59303000u, 0x59303fffu, WVV_DEVICE);     /* the UART */
  wvv_protect_enable();
}
