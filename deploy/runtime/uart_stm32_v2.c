/* The USART of STM32F7, H7, L4 and U5, with registers for each direction (ST RM0385, RM0433, RM0432 and
 * RM0456, chapter USART, section "USART registers"). */
#include "wvv_uart.h"

struct stm32_usart {
  volatile uint32_t control;
  volatile uint32_t control_2;
  volatile uint32_t control_3;
  volatile uint32_t divider;
  volatile uint32_t guard;
  volatile uint32_t timeout;
  volatile uint32_t request;
  volatile uint32_t status;
  volatile uint32_t clear;
  volatile uint32_t received;
  volatile uint32_t to_send;
};

#define UART ((struct stm32_usart *)WVV_UART_BASE)
enum { CONTROL_ENABLE = 1 << 0, CONTROL_RECEIVE = 1 << 2, CONTROL_SEND = 1 << 3 };
enum { STATUS_OVERRUN = 1 << 3, STATUS_RECEIVED = 1 << 5, STATUS_MAY_SEND = 1 << 7 };

#ifndef WVV_UART_FINENESS
#define WVV_UART_FINENESS 1u /* parts of a clock that the divider counts; uart_stm32_lpuart.c has another */
#endif

void wvv_uart_open(void) {
  const uint64_t clocks = (uint64_t)WVV_UART_HZ * WVV_UART_FINENESS;
  UART->control = 0u;
  UART->divider = (uint32_t)((clocks + WVV_UART_BAUD / 2u) / WVV_UART_BAUD);
  UART->control = CONTROL_ENABLE | CONTROL_SEND | CONTROL_RECEIVE;
}

bool wvv_uart_get(uint8_t *byte) {
  const uint32_t status = UART->status;
  if ((status & STATUS_OVERRUN) != 0u) {
    UART->clear = STATUS_OVERRUN; /* until then nothing more is received */
  }
  if ((status & STATUS_RECEIVED) == 0u) {
    return false;
  }
  *byte = (uint8_t)UART->received;
  return true;
}

void wvv_uart_put(uint8_t byte) {
  while ((UART->status & STATUS_MAY_SEND) == 0u) {
  }
  UART->to_send = byte;
}
