/* The Cortex-M System Design Kit's APB UART (Arm DDI 0479, section 4.4), which Arm's MPS2 and MPS3 images have. */
#include "wvv_uart.h"

struct cmsdk_uart {
  volatile uint32_t data;
  volatile uint32_t state;
  volatile uint32_t control;
  volatile uint32_t interrupt;
  volatile uint32_t divider; /* clocks a bit, at least 16 */
};

#define UART ((struct cmsdk_uart *)WVV_UART_BASE)
enum { STATE_FULL_TO_SEND = 1, STATE_RECEIVED = 2, STATE_LOST = 12, CONTROL_SEND_AND_RECEIVE = 3 };

void wvv_uart_open(void) {
  UART->control = 0u;
  UART->divider = (WVV_UART_HZ + WVV_UART_BAUD / 2u) / WVV_UART_BAUD;
  UART->control = CONTROL_SEND_AND_RECEIVE;
}

bool wvv_uart_get(uint8_t *byte) {
  const uint32_t state = UART->state;
  if ((state & STATE_LOST) != 0u) {
    UART->state = state & STATE_LOST; /* ones clear an overrun, which would otherwise stay for ever */
  }
  if ((state & STATE_RECEIVED) == 0u) {
    return false;
  }
  *byte = (uint8_t)UART->data;
  return true;
}

void wvv_uart_put(uint8_t byte) {
  while ((UART->state & STATE_FULL_TO_SEND) != 0u) {
  }
  UART->data = byte;
}
