/* The UART to the host, polled: 8 data bits, no parity, one stop bit.
 *
 * board.toml's table [uart] arrives as WVV_UART_BASE, WVV_UART_HZ (the clock that the UART divides) and WVV_UART_BAUD.
 * The board's start-up has switched the UART's clock on and given it its pins.
 */
#ifndef WVV_UART_H
#define WVV_UART_H

#include <stdbool.h>
#include <stdint.h>

void wvv_uart_open(void);

/* Never waits: false where no byte has arrived.  What arrives while nobody asks is lost once the UART's own buffer is
 * full, so a host sends its next line only after the answer to the last one. */
bool wvv_uart_get(uint8_t *byte);

/* Waits until the UART takes the byte. */
void wvv_uart_put(uint8_t byte);

#if !defined(WVV_UART_BASE) || !defined(WVV_UART_HZ) || !defined(WVV_UART_BAUD)
#error "board.toml: the table [uart] is needed for firmware that speaks over a serial port"
#endif

#endif
