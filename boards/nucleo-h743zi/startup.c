/* Start of the STM32H743 at the clock that it has after reset, USART3 on the pins of the virtual COM port.  The caches
 * stay off: flash answers with the wait states of its reset value, and counts are the same every time.
 * All RAM has error correction: words are written before they are read, the stack by its paint, .bss and the arena by
 * the common start (ST AN5342).
 * Registers and bits are those of ST RM0433, sections 8 (RCC) and 11 (GPIO). */
#include "wvv_stm32.h"

#define RCC 0x58024400u
#define GPIOD 0x58020c00u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

static void open_com_port(void) {
  wvv_stm32_enable(RCC + 0xe0u, 1u << 3);  /* AHB4ENR: GPIODEN */
  wvv_stm32_enable(RCC + 0xe8u, 1u << 18); /* APB1LENR: USART3EN */
  wvv_stm32_pin(GPIOD, 8u, 7u);            /* USART3_TX: ST DS12110, table of alternate functions */
  wvv_stm32_pin(GPIOD, 9u, 7u);            /* USART3_RX */
}

void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_protect(0u, 0x08000000u, 21u, WVV_READ_ONLY); /* flash */
  wvv_protect(1u, 0x10000000u, 28u, WVV_NO_ACCESS); /* reserved up to the first byte of the DTCM, system memory too */
  wvv_protect(2u, 0x20020000u, 17u, WVV_NO_ACCESS); /* reserved behind the DTCM */
  wvv_protect_enable();
  open_com_port();
}
