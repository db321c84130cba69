// Heap: what one rendering may use, and the objects that it makes.
//
// A template comes from a model file and is hostile until rendered. Every object charges the bytes
// it holds and every operation charges steps; going over a limit raises a TemplateError. Objects
// are counted by reference and die one after another, never recursively, so that a chain of a
// million namespaces cannot overflow the stack. One rendering is one thread: the counts are not
// atomic.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace orrery::text::jinja {

// Thrown inside the engine only; chat_template.cpp turns it into an orrery::Error.
struct TemplateError {
  std::string message;
  u32 line = 0, column = 0;  // from 1; 0: not known yet
};

template <typename... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError{fmt::format(format, std::forward<Args>(args)...), 0, 0};
}

struct Limits {
  u64 steps_max = 10'000'000;
  u64 memory_bytes_max = u64(128) << 20;  // of all live objects
  u64 output_bytes_max = u64(64) << 20;
  u32 depth_max = 200;     // macros and recursive loops inside each other
  u32 nesting_max = 3000;  // expressions and statements being evaluated inside each other
};

class Heap;

class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object();
  [[nodiscard]] Heap& heap() const { return *heap_; }

 protected:
  explicit Object(Heap& heap, u64 bytes = 0);
  void charge(u64 bytes);  // the object has grown by so much

 private:
  template <typename T>
  friend class Ref;
  friend class Heap;
  Heap* heap_;
  u64 charged_ = 0;
  u32 references_ = 0;
};

// An object through which a value may reach itself (a namespace, a scope that holds a macro).
// The heap empties those that are left at the end.
class CyclicObject : public Object {
 public:
  ~CyclicObject() override;
  virtual void clear() = 0;

 protected:
  explicit CyclicObject(Heap& heap);

 private:
  friend class Heap;
  void unlink();
  CyclicObject* previous_ = nullptr;
  CyclicObject* next_ = nullptr;
  bool linked_ = true;
};

class Heap {
 public:
  explicit Heap(const Limits& limits) : limits_(limits) {}
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  [[nodiscard]] const Limits& limits() const { return limits_; }
  void charge(u64 bytes) {
    if (bytes > limits_.memory_bytes_max - live_bytes_) raise("the template needs too much memory");
    live_bytes_ += bytes;
  }
  void release(u64 bytes) { live_bytes_ -= bytes; }
  void step(u64 count = 1) {
    if (count > limits_.steps_max - steps_) raise("the template takes too many steps");
    steps_ += count;
  }
  // Work that touches so many bytes.
  void step_bytes(u64 bytes) { step(1 + bytes / 64); }

 private:
  friend class Object;
  friend class CyclicObject;
  template <typename T>
  friend class Ref;
  void bury(Object* object);

  Limits limits_;
  u64 live_bytes_ = 0, steps_ = 0;
  std::vector<Object*> dead_;
  bool burying_ = false;
  CyclicObject* cyclic_ = nullptr;
};

template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { hold(); }
  Ref(const Ref& other) : object_(other.object_) { hold(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ && --object_->Object::references_ == 0) object_->heap().bury(object_);
  }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  [[nodiscard]] T* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  void hold() {
    if (object_) ++object_->Object::references_;
  }
  T* object_ = nullptr;
};

template <typename T, typename... Args>
[[nodiscard]] Ref<T> make(Heap& heap, Args&&... args) {
  return Ref<T>(new T(heap, std::forward<Args>(args)...));
}

}  // namespace orrery::text::jinja
