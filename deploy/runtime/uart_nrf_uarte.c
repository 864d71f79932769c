/* Nordic's UARTE, which moves bytes by its own DMA (nRF52840 product specification, chapter UARTE; the nRF5340's is the
 * same at another address).  One byte at a time: its receiver keeps a few more meanwhile. */
#include "wvv_uart.h"

#define REGISTER(offset) (*(volatile uint32_t *)(WVV_UART_BASE + (offset)))
#define START_RECEIVING REGISTER(0x000u)
#define START_SENDING REGISTER(0x008u)
#define RECEIVED REGISTER(0x110u)
#define SENT REGISTER(0x120u)
#define ENABLE REGISTER(0x500u)
#define BAUD_RATE REGISTER(0x524u)
#define RECEIVE_TO REGISTER(0x534u)
#define RECEIVE_COUNT REGISTER(0x538u)
#define SEND_FROM REGISTER(0x544u)
#define SEND_COUNT REGISTER(0x548u)
#define CONFIG REGISTER(0x56cu)
#define ENABLE_UARTE 8u

/* Codes of the specification's table for BAUDRATE; its clock is always 16 MHz. */
#if WVV_UART_BAUD == 115200
#define BAUD_CODE 0x01d60000u
#elif WVV_UART_BAUD == 9600
#define BAUD_CODE 0x00275000u
#elif WVV_UART_BAUD == 1000000
#define BAUD_CODE 0x10000000u
#else
#error "board.toml: uart.baud must be 9600, 115200 or 1000000 on an nRF"
#endif

/* In RAM, which is all that the DMA reaches. */
static volatile uint8_t received, to_send;

static uint32_t address(const volatile void *pointer) { return (uint32_t)(uintptr_t)pointer; }

static void receive_next(void) {
  RECEIVED = 0u;
  START_RECEIVING = 1u;
}

void wvv_uart_open(void) {
  CONFIG = 0u; /* no parity, no flow control */
  BAUD_RATE = BAUD_CODE;
  RECEIVE_TO = address(&received);
  RECEIVE_COUNT = 1u;
  SEND_FROM = address(&to_send);
  SEND_COUNT = 1u;
  ENABLE = ENABLE_UARTE;
  receive_next();
}

bool wvv_uart_get(uint8_t *byte) {
  if (RECEIVED == 0u) {
    return false;
  }
  *byte = received;
  receive_next();
  return true;
}

void wvv_uart_put(uint8_t byte) {
  to_send = byte;
  SENT = 0u;
  START_SENDING = 1u;
  while (SENT == 0u) {
  }
}
