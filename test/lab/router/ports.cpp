#include "ports.hpp"

#include <algorithm>
#include <set>

namespace natbox {

PortOptions PortOptions::from(const Json& json) {
  PortOptions out;
  const std::string kind = json["kind"].text("preserved");
  if (kind == "preserved") out.kind = Kind::kPreserved;
  else if (kind == "sequential") out.kind = Kind::kSequential;
  else if (kind == "block") out.kind = Kind::kBlock;
  else if (kind == "random") out.kind = Kind::kRandom;
  else throw std::runtime_error("unknown port allocation: " + kind);
  out.low = static_cast<std::uint16_t>(json["low"].number(out.low));
  out.high = static_cast<std::uint16_t>(json["high"].number(out.high));
  if (out.low == 0 || out.low > out.high) throw std::runtime_error("port range is empty");
  out.step = static_cast<int>(json["step"].number(out.step));
  if (out.step == 0) throw std::runtime_error("a sequential step of zero gives one port only");
  out.start = static_cast<std::uint16_t>(json["start"].number(0));
  out.foreignPerSecond = json["foreignPerSecond"].number(0);
  out.blockSize = static_cast<std::uint16_t>(json["size"].number(out.blockSize));
  if (out.kind == Kind::kBlock && (out.blockSize == 0 || out.blockSize > out.high - out.low + 1)) {
    throw std::runtime_error("the block does not fit the port range");
  }
  return out;
}

PortAllocator::PortAllocator(const PortOptions& options, Random& random) : options_(options), random_(random) { reset(); }

void PortAllocator::reset() {
  blocks_.clear();
  const bool inside = options_.start >= options_.low && options_.start <= options_.high;
  if (inside) next_ = options_.start - static_cast<std::uint32_t>(options_.low);
  else next_ = options_.step > 0 ? 0 : span() - 1;
}

std::optional<std::uint16_t> PortAllocator::draw(const Endpoint& inside, Time now, const IsFree& isFree) {
  switch (options_.kind) {
    case PortOptions::Kind::kPreserved:
      if (inside.port != 0 && isFree(inside.port)) return inside.port;
      return drawWithin(options_.low, options_.high, isFree);
    case PortOptions::Kind::kSequential: return drawSequential(now, isFree);
    case PortOptions::Kind::kRandom: return drawWithin(options_.low, options_.high, isFree);
    case PortOptions::Kind::kBlock: break;
  }
  auto block = blocks_.find(inside.ip);
  if (block == blocks_.end()) {
    std::set<std::uint16_t> taken;
    for (const auto& [host, first] : blocks_) taken.insert(first);
    const std::uint32_t count = span() / options_.blockSize;
    if (taken.size() >= count) return std::nullopt;
    std::uint16_t first = 0;
    do first = static_cast<std::uint16_t>(options_.low + random_.below(count) * options_.blockSize);
    while (taken.contains(first));
    block = blocks_.emplace(inside.ip, first).first;
  }
  return drawWithin(block->second, static_cast<std::uint16_t>(block->second + options_.blockSize - 1), isFree);
}

void PortAllocator::advance(std::int64_t count) {
  const std::int64_t size = span();
  const std::int64_t moved = (static_cast<std::int64_t>(next_) + count * options_.step) % size;
  next_ = static_cast<std::uint32_t>((moved + size) % size);
}

std::optional<std::uint16_t> PortAllocator::drawSequential(Time now, const IsFree& isFree) {
  const double elapsed = lastDraw_ == 0 ? 0 : static_cast<double>(now - lastDraw_) / static_cast<double>(kSecond);
  lastDraw_ = now;
  advance(random_.poisson(options_.foreignPerSecond * elapsed));
  for (std::uint32_t tries = 0; tries < span(); ++tries) {
    const auto port = static_cast<std::uint16_t>(options_.low + next_);
    advance(1);
    if (isFree(port)) return port;
  }
  return std::nullopt;
}

std::optional<std::uint16_t> PortAllocator::drawWithin(std::uint16_t low, std::uint16_t high, const IsFree& isFree) {
  const std::uint32_t size = static_cast<std::uint32_t>(high - low) + 1;
  const std::uint32_t start = random_.below(size);
  for (std::uint32_t tries = 0; tries < 16; ++tries) {
    const auto port = static_cast<std::uint16_t>(low + random_.below(size));
    if (isFree(port)) return port;
  }
  // Nearly full: walk the range once, so that the last free port is found.
  for (std::uint32_t offset = 0; offset < size; ++offset) {
    const auto port = static_cast<std::uint16_t>(low + (start + offset) % size);
    if (isFree(port)) return port;
  }
  return std::nullopt;
}

}  // namespace natbox
