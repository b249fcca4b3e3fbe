// What makes a struct an event: a wire name, a version, a subject, and two JSON functions.
//
//   struct lesson_passed
//   {
//       static constexpr std::string_view type = "lesson_passed";
//       static constexpr int version = 1;
//       …fields…
//       std::string subject() const;
//   };
//   void to_json(nlohmann::json&, const lesson_passed&);
//   void from_json(const nlohmann::json&, lesson_passed&);   // throws nlohmann::json::exception or
//                                                            // std::invalid_argument naming the field
#pragma once

#include "coursegate/base/trace.hpp"
#include "coursegate/events/envelope.hpp"

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <functional>

namespace coursegate::events {

template <class E>
concept event = requires(const E& e)
{
    {
        E::type
        } -> std::convertible_to<std::string_view>;
    {
        E::version
        } -> std::convertible_to<int>;
    {
        e.subject()
        } -> std::convertible_to<std::string>;
};

namespace detail {
std::string dump(const std::function<void(nlohmann::json&)>& fill);
base::result<void> read(std::string_view data, const std::function<void(const nlohmann::json&)>& take);
} // namespace detail

// A new envelope (fresh id, time now) around `e`. `source` is the service's name without the slash. What has
// no cause with a trace begins one, so that every line that follows from it carries the same trace id.
template <event E>
envelope wrap(std::string_view source, const E& e, const cause& because = {})
{
    envelope out;
    out.id = base::new_uuid();
    out.source = "/" + std::string(source);
    out.type = std::string(E::type);
    out.version = E::version;
    out.time = base::now();
    out.subject = e.subject();
    out.correlation_id = because.correlation_id.empty() ? base::to_string(out.id) : because.correlation_id;
    out.traceparent = because.traceparent.empty() ? base::new_traceparent() : because.traceparent;
    out.data = detail::dump([&](nlohmann::json& j) { to_json(j, e); });
    return out;
}

// errc::bad_data, the detail names the field.
template <event E>
base::result<E> unwrap(const envelope& env)
{
    E out;
    auto done = detail::read(env.data, [&](const nlohmann::json& j) { from_json(j, out); });
    if (!done.has_value())
        return done.error();
    return out;
}

} // namespace coursegate::events
