// A "no" to somebody's input: what was wrong, in which field, in words that person understands.
//
// An exception, not a result: it must roll back the transaction it is thrown in, whatever was written before
// it, and nobody between there and the route's boundary (handlers/boundary.hpp) has anything to decide.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// What clients switch on. Public: listed in proto-schemas/http/openapi.yaml (a test compares).
namespace slug {
inline constexpr std::string_view course_ambiguous = "course_ambiguous";
inline constexpr std::string_view course_not_found = "course_not_found";
inline constexpr std::string_view database_unavailable = "database_unavailable";
inline constexpr std::string_view duplicate = "duplicate";
inline constexpr std::string_view given_by_environment = "given_by_environment";
inline constexpr std::string_view idempotency_key_reused = "idempotency_key_reused";
inline constexpr std::string_view invalid_json = "invalid_json";
inline constexpr std::string_view invalid_value = "invalid_value";
inline constexpr std::string_view lesson_not_found = "lesson_not_found";
inline constexpr std::string_view missing_field = "missing_field";
inline constexpr std::string_view module_not_found = "module_not_found";
inline constexpr std::string_view no_stepik_account = "no_stepik_account";
inline constexpr std::string_view outcome_unknown = "outcome_unknown";
inline constexpr std::string_view request_not_found = "request_not_found";
inline constexpr std::string_view rule_not_found = "rule_not_found";
inline constexpr std::string_view single_subscription = "single_subscription";
inline constexpr std::string_view structure_unknown = "structure_unknown";
inline constexpr std::string_view unauthorized = "unauthorized";
inline constexpr std::string_view unknown_field = "unknown_field";
inline constexpr std::string_view user_not_found = "user_not_found";
inline constexpr std::string_view wrong_type = "wrong_type";

inline constexpr std::array all{course_ambiguous, course_not_found, database_unavailable, duplicate,
    given_by_environment, idempotency_key_reused, invalid_json, invalid_value, lesson_not_found,
    missing_field, module_not_found, no_stepik_account, outcome_unknown, request_not_found, rule_not_found,
    single_subscription, structure_unknown, unauthorized, unknown_field, user_not_found, wrong_type};
} // namespace slug

enum class refusal
{
    invalid,      // the input itself is wrong
    unauthorized, // no token, or not one of ours
    not_found,    // it names something that is not there
    conflict,     // it is well-formed, and what is there already forbids it
};

class refused : public std::runtime_error
{
public:
    // `field` as the client wrote it: "email", "parts[1].boom_media"; a query or path parameter by its name.
    refused(refusal kind, std::string_view slug, std::string message, std::string field = {})
        : std::runtime_error(std::move(message)), kind_(kind), slug_(slug), field_(std::move(field))
    {}

    refusal kind() const { return kind_; }
    const std::string& slug() const { return slug_; }
    const std::string& field() const { return field_; }
    std::string message() const { return what(); }

private:
    refusal kind_;
    std::string slug_;
    std::string field_;
};

// The most frequent one.
inline refused invalid(std::string field, std::string message)
{
    return refused(refusal::invalid, slug::invalid_value, std::move(message), std::move(field));
}

} // namespace coursegate::web_gateway
