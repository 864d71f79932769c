/* Start of the STM32F407 at the clock that it has after reset, USART2 on PA2 and PA3.
 * Registers and bits are those of ST RM0090, sections 7 (RCC) and 8 (GPIO). */
#include "wvv_stm32.h"

#define RCC 0x40023800u
#define GPIOA 0x40020000u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

static void open_serial_port(void) {
  wvv_stm32_enable(RCC + 0x30u, 1u << 0);  /* AHB1ENR: GPIOAEN */
  wvv_stm32_enable(RCC + 0x40u, 1u << 17); /* APB1ENR: USART2EN */
  wvv_stm32_pin(GPIOA, 2u, 7u);            /* USART2_TX: ST DS8626, table of alternate functions */
  wvv_stm32_pin(GPIOA, 3u, 7u);            /* USART2_RX */
}

void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_protect(0u, 0x00000000u, 20u, WVV_READ_ONLY); /* flash, as the start maps it to 0 */
  wvv_protect(1u, 0x08000000u, 20u, WVV_READ_ONLY); /* flash */
  wvv_protect(2u, 0x18000000u, 27u, WVV_NO_ACCESS); /* from behind the CCM to RAM: system memory and reserved */
  wvv_protect(3u, 0x20020000u, 17u, WVV_NO_ACCESS); /* reserved behind RAM */
  wvv_protect_enable();
  open_serial_port();
}
