/* The USART of STM32F1, F2 and F4, with one status and one data register (ST RM0090, section 30.6). */
#include "wvv_uart.h"

struct stm32_usart {
  volatile uint32_t status;
  volatile uint32_t data;
  volatile uint32_t divider; /* sixteenths of clocks a sample, at 16 samples a bit: clocks a bit */
  volatile uint32_t control;
};

#define UART ((struct stm32_usart *)WVV_UART_BASE)
enum { STATUS_RECEIVED = 1 << 5, STATUS_MAY_SEND = 1 << 7 };
enum { CONTROL_RECEIVE = 1 << 2, CONTROL_SEND = 1 << 3, CONTROL_ENABLE = 1 << 13 };

void wvv_uart_open(void) {
  UART->control = 0u;
  UART->divider = (WVV_UART_HZ + WVV_UART_BAUD / 2u) / WVV_UART_BAUD;
  UART->control = CONTROL_ENABLE | CONTROL_SEND | CONTROL_RECEIVE;
}

bool wvv_uart_get(uint8_t *byte) {
  if ((UART->status & STATUS_RECEIVED) == 0u) {
    return false;
  }
  *byte = (uint8_t)UART->data; /* after the status: the two reads together clear an overrun too */
  return true;
}

void wvv_uart_put(uint8_t byte) {
  while ((UART->status & STATUS_MAY_SEND) == 0u) {
  }
  UART->data = byte;
}
