/* Start of the Cortex-M33 on the MPS2 board, secure state; clocks need no set-up.
 *
 * The protection unit allows what board.toml names and refuses the rest: code is RAM here and would take writes.
 */
#include "wvv_startup.h"

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* Addresses are those of board.toml. */
void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_allow(0u, 0x10000000u, 0x103fffffu, WVV_READ_ONLY);  /* code */
  wvv_allow(1u, 0x38000000u, 0x383fffffu, WVV_READ_WRITE); /* ram */
  wvv_allow(2u, 0x50000000u, 0x50000fffu, WVV_DEVICE);     /* the timer */
  wvv_allow(3u, 0x50200000u, 0x50200fffu, WVV_DEVICE);     /* the UART */
  wvv_protect_enable();
}
