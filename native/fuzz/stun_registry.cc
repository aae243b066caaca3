// STUN: an answer is ours exactly when its transaction was begun here and has not expired.
#include <cstdlib>

#include "../src/udp/stun.h"
#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  wg::fuzz::Input input(data, size);
  wg::udp::StunTransactions transactions;
  double now_ms = 0;
  while (!input.empty()) {
    now_ms += input.byte() * 100;
    const auto sent = input.block(1'500);
    transactions.sent(sent, now_ms);
    const bool request = wg::udp::is_stun(sent) && (sent[0] & 1) == 0 && (sent[1] & 0x10) == 0;
    if (request && !transactions.outstanding(sent, now_ms)) std::abort();
    if (request && transactions.outstanding(sent, now_ms + wg::udp::StunTransactions::lifetime_ms)) std::abort();
    const auto received = input.block(1'500);
    if (wg::udp::is_stun(received)) transactions.outstanding(received, now_ms);
  }
  return 0;
}
