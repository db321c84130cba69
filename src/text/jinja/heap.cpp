// Heap: charging, and the burial of objects in a loop instead of a recursion.
#include "text/jinja/heap.h"

namespace orrery::text::jinja {

Object::Object(Heap& heap, u64 bytes) : heap_(&heap) {
  heap.step();
  charge(64 + bytes);
}

Object::~Object() { heap_->release(charged_); }

void Object::charge(u64 bytes) {
  heap_->charge(bytes);
  charged_ += bytes;
}

CyclicObject::CyclicObject(Heap& heap) : Object(heap), next_(heap.cyclic_) {
  if (next_) next_->previous_ = this;
  heap.cyclic_ = this;
}

CyclicObject::~CyclicObject() { unlink(); }

void CyclicObject::unlink() {
  if (!linked_) return;
  (previous_ ? previous_->next_ : heap().cyclic_) = next_;
  if (next_) next_->previous_ = previous_;
  linked_ = false;
}

void Heap::bury(Object* object) {
  dead_.push_back(object);
  if (burying_) return;
  burying_ = true;
  while (!dead_.empty()) {
    Object* next = dead_.back();
    dead_.pop_back();
    delete next;
  }
  burying_ = false;
}

Heap::~Heap() {
  while (cyclic_) {
    const Ref<CyclicObject> held(cyclic_);
    held->unlink();
    held->clear();
  }
}

}  // namespace orrery::text::jinja
