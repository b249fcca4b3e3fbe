// In place of libs/async's: enough for declarations.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>

namespace coursegate::async {

template <class T = void>
struct task
{};

struct executor
{};

} // namespace coursegate::async
