/* Start of the STM32F746 at the clock that it has after reset, USART3 on the pins of the virtual COM port.  The caches
 * stay off: at this clock flash answers at once.
 * Registers and bits are those of ST RM0385, sections 5 (RCC) and 6 (GPIO). */
#include "wvv_stm32.h"

#define RCC 0x40023800u
#define GPIOD 0x40020c00u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

static void open_com_port(void) {
  wvv_stm32_enable(RCC + 0x30u, 1u << 3);  /* AHB1ENR: GPIODEN */
  wvv_stm32_enable(RCC + 0x40u, 1u << 18); /* APB1ENR: USART3EN */
  wvv_stm32_pin(GPIOD, 8u, 7u);            /* USART3_TX: ST DS10916, table of alternate functions */
  wvv_stm32_pin(GPIOD, 9u, 7u);            /* USART3_RX */
}

void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_protect(0u, 0x00200000u, 20u, WVV_READ_ONLY); /* flash over the ITCM bus */
  wvv_protect(1u, 0x08000000u, 20u, WVV_READ_ONLY); /* flash */
  wvv_protect(2u, 0x10000000u, 28u, WVV_NO_ACCESS); /* reserved up to the first byte of RAM, option bytes among it */
  wvv_protect(3u, 0x20050000u, 16u, WVV_NO_ACCESS); /* reserved behind RAM */
  wvv_protect_enable();
  open_com_port();
}
