/* The side of wvv_io.h that faults need, over the serial line: a text, and an end after which the device lives on. */
#include "wvv_io.h"
#include "wvv_startup.h"
#include "wvv_text.h"
#include "wvv_uart.h"

void wvv_say(const char *text) {
  for (; *text != 0; ++text) {
    if (*text == '\n') {
      wvv_uart_put('\r');
    }
    wvv_uart_put((uint8_t)*text);
  }
}

_Noreturn void wvv_exit(enum wvv_status status) {
  char text[WVV_TEXT_BYTES];
  wvv_say("e-[Ended with status ");
  wvv_say(wvv_decimal(text, (uint32_t)status));
  wvv_say("]\n");
  wvv_restart();
}
