// The builder that turns nlohmann/json's events into Values and stops at the first broken limit.
#include "checkpoint/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "checkpoint/json_events.h"
#include "checkpoint/names.h"

namespace orrery::checkpoint {
namespace {

constexpr u64 kDepthMax = 64;
// A value takes up to 250 bytes of memory and as few as 2 of text; the largest shard indexes have
// 200 000 values.
constexpr u64 kValuesMax = 500'000;

template <typename T>
bool all_are(const Array& array) {
  return std::all_of(array.begin(), array.end(),
                     [](const Value& value) { return std::holds_alternative<T>(value.data); });
}

template <typename T, typename Packed>
Value packed(Array& array) {
  Packed values;
  values.reserve(array.size());
  for (Value& value : array) values.push_back(std::get<T>(std::move(value.data)));
  return {std::move(values)};
}

Value pack(Array array) {
  if (array.empty()) return {std::move(array)};
  if (all_are<std::string>(array)) return packed<std::string, Strings>(array);
  if (all_are<i64>(array)) return packed<i64, Integers>(array);
  for (const Value& value : array)
    if (!std::holds_alternative<i64>(value.data) && !std::holds_alternative<f64>(value.data))
      return {std::move(array)};
  for (Value& value : array)
    if (const i64* integer = std::get_if<i64>(&value.data)) value.data = f64(*integer);
  return packed<f64, Floats>(array);
}

class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Object root;
  std::string problem;

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add({value}); }
  bool number_integer(number_integer_t value) override { return add({i64(value)}); }
  bool number_unsigned(number_unsigned_t value) override {
    // Tokenizers are saved with 10^30 for "no limit": what is not an i64 is a float that no
    // setting of a size takes.
    if (value > u64(INT64_MAX)) return add({f64(value)});
    return add({i64(value)});
  }
  bool number_float(number_float_t value, const string_t&) override { return add({f64(value)}); }
  bool string(string_t& value) override { return add({std::move(value)}); }
  bool binary(binary_t&) override { return stop("binary data"); }

  bool start_object(std::size_t) override { return open(Object()); }
  bool start_array(std::size_t) override { return open(Array()); }
  bool key(string_t& name) override {
    Frame& frame = frames_.back();
    if (std::get<Object>(frame.open).contains(name))
      return stop("the key {} stands twice", shown(name));
    frame.key = std::move(name);
    return true;
  }
  bool end_object() override {
    Object object = std::get<Object>(std::move(frames_.back().open));
    frames_.pop_back();
    if (!frames_.empty()) return add({std::move(object)});
    root = std::move(object);
    return true;
  }
  bool end_array() override {
    Array array = std::get<Array>(std::move(frames_.back().open));
    frames_.pop_back();
    return add(pack(std::move(array)));
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return stop("not valid JSON: {}", json_problem(error));
  }

 private:
  struct Frame {
    std::variant<Object, Array> open;
    std::string key;
  };

  template <typename... Args>
  bool stop(fmt::format_string<Args...> format, Args&&... args) {
    problem = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }

  template <typename Container>
  bool open(Container container) {
    if (frames_.empty() && std::is_same_v<Container, Array>) return stop("the root is no object");
    if (frames_.size() == kDepthMax) return stop("nested more than {} deep", kDepthMax);
    frames_.push_back({std::move(container), {}});
    return true;
  }

  bool add(Value value) {
    if (frames_.empty()) return stop("the root is no object");
    if (++values_ > kValuesMax) return stop("more than {} values", kValuesMax);
    Frame& frame = frames_.back();
    if (Array* array = std::get_if<Array>(&frame.open))
      array->push_back(std::move(value));
    else
      std::get<Object>(frame.open).emplace(std::move(frame.key), std::move(value));
    return true;
  }

  std::vector<Frame> frames_;
  u64 values_ = 0;
};

}  // namespace

Result<Object> parse_json_object(std::string_view text) {
  Builder builder;
  CHECK_OK(read_json(text, builder));
  return std::move(builder.root);
}

std::string json_problem(const std::exception& error) {
  constexpr u64 kShownBytes = 160;
  std::string_view text = error.what();
  if (const auto end = text.find("] "); text.starts_with("[json.") && end != text.npos)
    text.remove_prefix(end + 2);  // "[json.exception.parse_error.101] "
  std::string line(text.substr(0, kShownBytes));
  std::replace_if(line.begin(), line.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return line;
}

}  // namespace orrery::checkpoint
