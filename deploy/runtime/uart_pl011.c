/* Arm's PrimeCell UART PL011 (Arm DDI 0183, chapter 3), which the RP2350 has twice. */
#include "wvv_uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(WVV_UART_BASE + (offset)))
#define DATA REGISTER(0x00u)
#define FLAGS REGISTER(0x18u)
#define DIVIDER REGISTER(0x24u)
#define DIVIDER_64THS REGISTER(0x28u)
#define LINE REGISTER(0x2cu)
#define CONTROL REGISTER(0x30u)
enum { FLAG_NOTHING_RECEIVED = 1 << 4, FLAG_FULL_TO_SEND = 1 << 5 };
enum { LINE_EIGHT_BITS = 3 << 5, LINE_BUFFERS = 1 << 4 };
enum { CONTROL_ENABLE = 1, CONTROL_SEND = 1 << 8, CONTROL_RECEIVE = 1 << 9 };

void wvv_uart_open(void) {
  /* 16 samples a bit, so 4 clocks of 64ths. */
  const uint32_t divider = (uint32_t)(((uint64_t)WVV_UART_HZ * 4u + WVV_UART_BAUD / 2u) / WVV_UART_BAUD);
  CONTROL = 0u;
  DIVIDER = divider >> 6;
  DIVIDER_64THS = divider & 63u;
  LINE = LINE_EIGHT_BITS | LINE_BUFFERS; /* after the divider, which only this write puts into effect */
  CONTROL = CONTROL_ENABLE | CONTROL_SEND | CONTROL_RECEIVE;
}

bool wvv_uart_get(uint8_t *byte) {
  if ((FLAGS & FLAG_NOTHING_RECEIVED) != 0u) {
    return false;
  }
  *byte = (uint8_t)DATA;
  return true;
}

void wvv_uart_put(uint8_t byte) {
  while ((FLAGS & FLAG_FULL_TO_SEND) != 0u) {
  }
  DATA = byte;
}
