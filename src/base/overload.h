// Overload: one visitor of a variant out of a lambda for each alternative.
#pragma once

namespace orrery {

template <typename... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overload(Cases...) -> Overload<Cases...>;

}  // namespace orrery
