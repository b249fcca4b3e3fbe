#include "domain/types.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace coursegate::boomstream_grant {

namespace {

template <class E, std::size_t N>
using words = std::array<std::pair<E, std::string_view>, N>;

constexpr words<grant_state, 5> grant_states{
    {{grant_state::wanted, "wanted"}, {grant_state::asked, "asked"}, {grant_state::confirmed, "confirmed"},
        {grant_state::failed, "failed"}, {grant_state::revoked, "revoked"}}};

constexpr words<lane, 2> lanes{{{lane::fresh, "fresh"}, {lane::backfill, "backfill"}}};

constexpr words<cause, 7> causes{{{cause::on_pass, "on_pass"}, {cause::always, "always"},
    {cause::on_enrolment, "on_enrolment"}, {cause::with_previous, "with_previous"},
    {cause::after_days, "after_days"}, {cause::manual, "manual"}, {cause::backfill, "backfill"}}};

constexpr words<rule_kind, 6> rule_kinds{{{rule_kind::on_pass, "on_pass"}, {rule_kind::always, "always"},
    {rule_kind::on_enrolment, "on_enrolment"}, {rule_kind::with_previous, "with_previous"},
    {rule_kind::after_days, "after_days"}, {rule_kind::manual, "manual"}}};

constexpr words<rule_scope, 3> rule_scopes{
    {{rule_scope::course, "course"}, {rule_scope::module, "module"}, {rule_scope::lesson, "lesson"}}};

constexpr words<buyer_state, 5> buyer_states{{{buyer_state::wanted, "wanted"}, {buyer_state::asked, "asked"},
    {buyer_state::live, "live"}, {buyer_state::closing, "closing"}, {buyer_state::gone, "gone"}}};

template <class E, std::size_t N>
std::string_view word_of(const words<E, N>& all, E v)
{
    for (const auto& [value, word] : all)
        if (value == v)
            return word;
    throw std::logic_error("boomstream-grant: an enumerator without a word");
}

template <class E, std::size_t N>
E value_of(const words<E, N>& all, std::string_view word, const char* what)
{
    for (const auto& [value, text] : all)
        if (text == word)
            return value;
    throw std::invalid_argument("'" + std::string(word) + "' is no " + what);
}

} // namespace

std::string_view to_string(grant_state v)
{
    return word_of(grant_states, v);
}

std::string_view to_string(lane v)
{
    return word_of(lanes, v);
}

std::string_view to_string(cause v)
{
    return word_of(causes, v);
}

std::string_view to_string(rule_kind v)
{
    return word_of(rule_kinds, v);
}

std::string_view to_string(rule_scope v)
{
    return word_of(rule_scopes, v);
}

std::string_view to_string(buyer_state v)
{
    return word_of(buyer_states, v);
}

grant_state parse_grant_state(std::string_view word)
{
    return value_of(grant_states, word, "grant state");
}

lane parse_lane(std::string_view word)
{
    return value_of(lanes, word, "lane");
}

cause parse_cause(std::string_view word)
{
    return value_of(causes, word, "cause");
}

rule_kind parse_rule_kind(std::string_view word)
{
    return value_of(rule_kinds, word, "rule");
}

rule_scope parse_rule_scope(std::string_view word)
{
    return value_of(rule_scopes, word, "rule scope");
}

buyer_state parse_buyer_state(std::string_view word)
{
    return value_of(buyer_states, word, "buyer state");
}

} // namespace coursegate::boomstream_grant
