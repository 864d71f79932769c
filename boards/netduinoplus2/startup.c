/* Start of the STM32F405 as QEMU models it: at full clock, and without the registers that would set it (RCC, FLASH).
 *
 * The part answers a stray write by itself: reserved addresses give a bus fault, flash an error flag.  The protection
 * unit makes them the same fault at the same instruction, on the part and on QEMU.
 */
#include "wvv_startup.h"

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* Addresses are those of board.toml and of ST RM0090, section 2.3. */
void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_protect(0u, 0x00000000u, 20u, WVV_READ_ONLY); /* flash, as the start maps it to 0 */
  wvv_protect(1u, 0x08000000u, 20u, WVV_READ_ONLY); /* flash */
  wvv_protect(2u, 0x10000000u, 28u, WVV_NO_ACCESS); /* the other RAM and system memory, up to the first byte of RAM */
  wvv_protect(3u, 0x20020000u, 17u, WVV_NO_ACCESS); /* reserved behind RAM */
  wvv_protect_enable();
}
