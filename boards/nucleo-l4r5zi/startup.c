/* Start of the STM32L4R5: the core on the 16 MHz oscillator, LPUART1 on the pins of the virtual COM port.
 * Registers and bits are those of ST RM0432, sections 5 (PWR), 6 (RCC) and 8 (GPIO). */
#include "wvv_stm32.h"

#define RCC 0x40021000u
#define PWR 0x40007000u
#define GPIOG 0x48001800u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

/* No wait state is needed up to 20 MHz in voltage range 1, in which the part starts. */
static void use_hsi16(void) {
  WVV_REGISTER(RCC + 0x00u) |= 1u << 8; /* CR: HSION */
  while ((WVV_REGISTER(RCC + 0x00u) & 1u << 10) == 0u) { /* HSIRDY */
  }
  WVV_REGISTER(RCC + 0x08u) = (WVV_REGISTER(RCC + 0x08u) & ~3u) | 1u; /* CFGR: SW = HSI16 */
  while ((WVV_REGISTER(RCC + 0x08u) & 12u) != 4u) { /* SWS */
  }
}

/* Port G from its pin 2 up has a supply of its own, which must be declared valid. */
static void open_com_port(void) {
  wvv_stm32_enable(RCC + 0x58u, 1u << 28); /* APB1ENR1: PWREN */
  WVV_REGISTER(PWR + 0x04u) |= 1u << 9;    /* CR2: IOSV */
  wvv_stm32_enable(RCC + 0x4cu, 1u << 6);  /* AHB2ENR: GPIOGEN */
  wvv_stm32_enable(RCC + 0x5cu, 1u << 0);  /* APB1ENR2: LPUART1EN */
  wvv_stm32_pin(GPIOG, 7u, 8u);            /* LPUART1_TX: ST DS12023, table of alternate functions */
  wvv_stm32_pin(GPIOG, 8u, 8u);            /* LPUART1_RX */
}

void wvv_board_init(void) {
  wvv_enable_fpu();
  wvv_protect(0u, 0x00000000u, 21u, WVV_READ_ONLY); /* flash, as the start maps it to 0 */
  wvv_protect(1u, 0x08000000u, 21u, WVV_READ_ONLY); /* flash */
  wvv_protect(2u, 0x10000000u, 28u, WVV_NO_ACCESS); /* SRAM2's first address, system memory: up to RAM */
  wvv_protect_enable();
  use_hsi16();
  open_com_port();
}
