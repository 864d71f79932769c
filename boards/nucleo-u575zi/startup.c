/* Start of the STM32U575 with TrustZone off: the core on the 16 MHz oscillator, USART1 on the pins of the virtual COM
 * port.
 * Registers and bits are those of ST RM0456, sections 7 (FLASH), 11 (RCC) and 13 (GPIO). */
#include "wvv_stm32.h"

#define FLASH 0x40022000u
#define RCC 0x46020c00u
#define GPIOA 0x42020000u

WVV_VECTOR_TABLE = WVV_CORE_VECTORS;

static void use_hsi16(void) {
  WVV_REGISTER(FLASH + 0x00u) = (WVV_REGISTER(FLASH + 0x00u) & ~15u) | 1u; /* ACR: LATENCY, before the clock rises */
  while ((WVV_REGISTER(FLASH + 0x00u) & 15u) != 1u) {
  }
  WVV_REGISTER(RCC + 0x00u) |= 1u << 8; /* CR: HSION */
  while ((WVV_REGISTER(RCC + 0x00u) & 1u << 10) == 0u) { /* HSIRDY */
  }
  WVV_REGISTER(RCC + 0x1cu) = (WVV_REGISTER(RCC + 0x1cu) & ~3u) | 1u; /* CFGR1: SW = HSI16 */
  while ((WVV_REGISTER(RCC + 0x1cu) & 12u) != 4u) { /* SWS */
  }
}

static void open_com_port(void) {
  wvv_stm32_enable(RCC + 0x8cu, 1u << 0);  /* AHB2ENR1: GPIOAEN */
  wvv_stm32_enable(RCC + 0xa4u, 1u << 14); /* APB2ENR: USART1EN */
  wvv_stm32_pin(GPIOA, 9u, 7u);            /* USART1_TX: ST DS13737, table of alternate functions */
  wvv_stm32_pin(GPIOA, 10u, 7u);           /* USART1_RX */
}

/* Addresses of memory are those of board.toml.  Everything else is closed once the clocks and pins are set. */
void wvv_board_init(void) {
  wvv_enable_fpu();
  use_hsi16();
  open_com_port();
  wvv_allow(0u, 0x08000000u, 0x081fffffu, WVV_READ_ONLY);  /* flash */
  wvv_allow(1u, 0x20000000u, 0x200bffffu, WVV_READ_WRITE); /* ram */
  wvv_allow(2u, 0x40013800u, 0x40013bffu, WVV_DEVICE);     /* USART1 */
  wvv_protect_enable();
}
