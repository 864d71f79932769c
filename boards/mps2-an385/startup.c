/* Start of the Cortex-M3 on the MPS2 board; clocks need no set-up, and there is no floating-point unit.
 *
 * Flash of a real part refuses writes, and below RAM there is nothing; this board has RAM for code, reserved addresses
 * that swallow writes, and a mirror of RAM behind it.  The protection unit turns all three into faults.
 */
#include "wvv_startup.h"

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* Addresses are those of board.toml; reserved areas and mirrors are from QEMU hw/arm/mps2.c. */
void wvv_board_init(void) {
  wvv_protect(0u, 0x00000000u, 22u, WVV_READ_ONLY); /* code */
  wvv_protect(1u, 0x10000000u, 28u, WVV_NO_ACCESS); /* reserved, up to the first byte of RAM */
  wvv_protect(2u, 0x20400000u, 22u, WVV_NO_ACCESS); /* the mirror of RAM */
  wvv_protect_enable();
}
