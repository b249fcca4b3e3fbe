#include "clients/answers.hpp"

#include "clients/stepik_error.hpp"

#include <nlohmann/json.hpp>
#include <simdjson.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace coursegate::stepik_sync {

namespace {

namespace od = simdjson::ondemand;
using json_type = od::json_type;

// A document stays readable only while its shape is whole: this leaves the parse, and the answer is
// bad_answer.
struct broken
{
    simdjson::error_code code;
};

template <class T>
T must(simdjson::simdjson_result<T>&& r)
{
    if (r.error() != simdjson::SUCCESS)
        throw broken{r.error()};
    return std::move(r).value_unsafe();
}

base::error bad_answer(const char* what, simdjson::error_code code)
{
    return base::fail(stepik_errc::bad_answer, std::string(what) + ": " + simdjson::error_message(code));
}

// On-demand parsing looks at a value once, so every reader below first asks for the type, and a value of
// another type is left to be skipped.

std::optional<std::int64_t> read_integer(od::value& v)
{
    if (must(v.type()) != json_type::number)
        return std::nullopt;
    od::number n;
    if (v.get_number().get(n) != simdjson::SUCCESS)
        return std::nullopt;
    if (n.is_int64())
        return n.get_int64();
    if (!n.is_double())
        return std::nullopt; // beyond int64
    const double d = n.get_double();
    // 900000101.0 is an id, too; 1.5 is not.
    if (d != std::floor(d) || std::abs(d) > 9e15)
        return std::nullopt;
    return static_cast<std::int64_t>(d);
}

std::optional<std::int64_t> read_id(od::value& v)
{
    const auto n = read_integer(v);
    return n && *n > 0 ? n : std::nullopt;
}

std::optional<int> read_int(od::value& v)
{
    const auto n = read_integer(v);
    if (!n || *n < std::numeric_limits<int>::min() || *n > std::numeric_limits<int>::max())
        return std::nullopt;
    return static_cast<int>(*n);
}

std::optional<bool> read_bool(od::value& v)
{
    if (must(v.type()) != json_type::boolean)
        return std::nullopt;
    bool b = false;
    if (v.get_bool().get(b) != simdjson::SUCCESS)
        return std::nullopt;
    return b;
}

std::optional<std::string_view> read_string(od::value& v)
{
    if (must(v.type()) != json_type::string)
        return std::nullopt;
    std::string_view s;
    if (v.get_string().get(s) != simdjson::SUCCESS)
        return std::nullopt;
    return s;
}

std::string read_title(od::value& v)
{
    return std::string(read_string(v).value_or(""));
}

std::vector<std::int64_t> read_ids(od::value& v)
{
    std::vector<std::int64_t> out;
    if (must(v.type()) != json_type::array)
        return out;
    for (auto element : must(v.get_array())) {
        od::value item = must(std::move(element));
        if (const auto id = read_id(item))
            out.push_back(*id);
    }
    return out;
}

// A date that is there and not one makes the row suspect; null and nothing are everyday.
struct read_time
{
    std::optional<base::time_point> value;
    bool malformed = false;
};

read_time read_date(od::value& v)
{
    read_time out;
    const auto type = must(v.type());
    if (type == json_type::null)
        return out;
    const auto text = read_string(v);
    if (!text) {
        out.malformed = true;
        return out;
    }
    const auto parsed = base::parse_iso8601(*text);
    if (parsed.has_value())
        out.value = *parsed;
    else
        out.malformed = true;
    return out;
}

digest digest_of(const void* bytes, std::size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    digest out;
    static_assert(sizeof canonical.digest == std::tuple_size_v<digest>);
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), out.begin());
    return out;
}

// Each thread keeps a parser: its buffers are as large as the largest answer it has seen, and making them
// anew for each answer costs more than parsing.
od::parser& parser()
{
    thread_local od::parser instance;
    return instance;
}

simdjson::padded_string_view padded(std::string& body)
{
    if (body.capacity() < body.size() + simdjson::SIMDJSON_PADDING)
        body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    return simdjson::padded_string_view(body.data(), body.size(), body.capacity());
}

// The envelope of every answer: {"meta": {"has_next": …}, "<name>": [ … ], …}. `take` gets each object of the
// list.
template <class Take>
void read_list(od::document& document, std::string_view name, bool& has_next, int& malformed, Take take)
{
    bool is_there = false;
    for (auto member : must(document.get_object())) {
        auto field = must(std::move(member));
        const std::string_view key = must(field.unescaped_key());
        od::value& value = field.value();
        if (key == "meta") {
            if (must(value.type()) != json_type::object)
                continue;
            for (auto inner : must(value.get_object())) {
                auto meta = must(std::move(inner));
                if (must(meta.unescaped_key()) == "has_next")
                    has_next = read_bool(meta.value()).value_or(false);
            }
        }
        else if (key == name) {
            if (must(value.type()) != json_type::array)
                continue;
            is_there = true;
            for (auto element : must(value.get_array())) {
                od::value item = must(std::move(element));
                if (must(item.type()) != json_type::object) {
                    ++malformed;
                    continue;
                }
                take(must(item.get_object()));
            }
        }
    }
    if (!is_there)
        throw broken{simdjson::NO_SUCH_FIELD};
}

template <class F>
void each_field(od::object object, F f)
{
    for (auto member : object) {
        auto field = must(std::move(member));
        const std::string_view key = must(field.unescaped_key());
        f(key, field.value());
    }
}

template <class T, class Read>
base::result<list_answer<T>> parse_objects(std::string& body, std::string_view name, Read read)
{
    list_answer<T> out;
    try {
        od::document document = must(parser().iterate(padded(body)));
        read_list(document, name, out.has_next, out.malformed, [&](od::object object) {
            T item;
            each_field(object, [&](std::string_view key, od::value& v) { read(item, key, v); });
            if (item.id > 0)
                out.items.push_back(std::move(item));
            else
                ++out.malformed;
        });
    }
    catch (const broken& b) {
        return bad_answer("not the list that was asked for", b.code);
    }
    return out;
}

// "{lesson id}-{step position}"; the position is not looked at, it moves.
std::optional<std::int64_t> lesson_of(std::string_view key)
{
    const auto dash = key.find('-');
    if (dash == std::string_view::npos)
        return std::nullopt;
    std::int64_t lesson = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + dash, lesson);
    if (error != std::errc{} || end != key.data() + dash || lesson <= 0)
        return std::nullopt;
    return lesson;
}

} // namespace

base::result<grades_page> parse_grades(std::string& body)
{
    grades_page out;
    try {
        od::document document = must(parser().iterate(padded(body)));
        read_list(document, "course-grades", out.has_next, out.malformed, [&](od::object object) {
            grade_row row;
            const char* wrong = nullptr;
            bool has_results = false;
            each_field(object, [&](std::string_view key, od::value& v) {
                if (key == "results") {
                    has_results = true;
                    const auto type = must(v.type());
                    if (type == json_type::object)
                        row.results = must(must(v.get_object()).raw_json());
                    else if (type != json_type::null && type != json_type::array)
                        wrong = "results is not an object";
                }
                else if (key == "user")
                    row.user = read_id(v).value_or(0);
                else if (key == "is_teacher")
                    row.is_teacher = read_bool(v).value_or(false);
                else if (key == "last_viewed") {
                    const auto t = read_date(v);
                    row.last_viewed = t.value;
                    if (t.malformed)
                        wrong = "last_viewed is not a date";
                }
                else if (key == "date_joined") {
                    const auto t = read_date(v);
                    row.date_joined = t.value;
                    if (t.malformed)
                        wrong = "date_joined is not a date";
                }
            });
            if (row.user == 0)
                wrong = "user is not an id";
            else if (!has_results)
                wrong = "there are no results";
            if (wrong != nullptr) {
                ++out.malformed;
                if (out.complaint.empty())
                    out.complaint = wrong;
                return;
            }
            // Behind an object stands the white space up to the next token.
            while (!row.results.empty() && row.results.back() != '}')
                row.results.remove_suffix(1);
            row.results_digest = digest_of(row.results.data(), row.results.size());
            out.rows.push_back(row);
        });
    }
    catch (const broken& b) {
        return bad_answer("not a page of grades", b.code);
    }
    if (out.malformed > 0 && out.complaint.empty())
        out.complaint = "a row is not an object";
    return out;
}

base::result<grade_results> parse_results(std::string_view raw)
{
    grade_results out;
    if (raw.empty())
        return out; // null or []: a student without any
    try {
        od::document document =
            must(parser().iterate(raw.data(), raw.size(), raw.size() + simdjson::SIMDJSON_PADDING));
        for (auto member : must(document.get_object())) {
            auto field = must(std::move(member));
            const auto lesson = lesson_of(must(field.unescaped_key()));
            if (!lesson)
                return base::fail(stepik_errc::bad_answer, "a result's key names no lesson");
            step_result result;
            result.lesson_id = *lesson;
            od::value& value = field.value();
            if (must(value.type()) != json_type::object)
                ++out.malformed;
            else {
                std::optional<bool> passed;
                bool is_null = false;
                each_field(must(value.get_object()), [&](std::string_view key, od::value& v) {
                    if (key == "step_id")
                        result.step_id = read_id(v).value_or(0);
                    else if (key == "is_passed") {
                        is_null = must(v.type()) == json_type::null;
                        passed = read_bool(v);
                    }
                });
                if (result.step_id == 0 || (!passed && !is_null))
                    ++out.malformed;
                // An entry without an id may not help a lesson to be passed; it may only hold it back.
                result.is_passed = passed.value_or(false) && result.step_id != 0;
            }
            out.steps.push_back(result);
        }
    }
    catch (const broken& b) {
        return bad_answer("the results are broken", b.code);
    }
    normalise(out.steps);

    std::vector<std::int64_t> ids;
    ids.reserve(out.steps.size());
    for (const auto& s : out.steps)
        if (s.step_id != 0)
            ids.push_back(s.step_id);
    if (!ids.empty()) {
        std::sort(ids.begin(), ids.end());
        out.layout = digest_of(ids.data(), ids.size() * sizeof ids.front());
    }
    return out;
}

base::result<list_answer<course_answer>> parse_courses(std::string& body)
{
    return parse_objects<course_answer>(
        body, "courses", [](course_answer& c, std::string_view key, od::value& v) {
            const auto mark = [&c, key](std::string_view text) {
                (c.mark += key) += '=';
                c.mark.append(text) += ';';
            };
            if (key == "id")
                c.id = read_id(v).value_or(0);
            else if (key == "title")
                c.title = read_title(v);
            else if (key == "sections") {
                c.sections = read_ids(v);
                std::string list;
                for (const auto id : c.sections)
                    list += std::to_string(id) + ",";
                mark(list);
            }
            else if (key == "learners_count")
                c.learners_count = read_int(v);
            else if (key == "learners_group")
                c.has_learners_group = read_id(v).has_value();
            else if (key == "total_units" || key == "lessons_count" || key == "quizzes_count")
                mark(std::to_string(read_integer(v).value_or(-1)));
            else if (key == "update_date")
                mark(read_string(v).value_or(""));
            else if (key == "actions" && must(v.type()) == json_type::object) {
                each_field(must(v.get_object()), [&](std::string_view action, od::value& details) {
                    if (action != "view_grade_book" || must(details.type()) != json_type::object)
                        return;
                    each_field(must(details.get_object()), [&](std::string_view name, od::value& enabled) {
                        if (name == "enabled")
                            c.can_view_grades = read_bool(enabled);
                    });
                });
            }
        });
}

base::result<list_answer<section_answer>> parse_sections(std::string& body)
{
    return parse_objects<section_answer>(
        body, "sections", [](section_answer& s, std::string_view key, od::value& v) {
            if (key == "id")
                s.id = read_id(v).value_or(0);
            else if (key == "position")
                s.position = read_int(v);
            else if (key == "title")
                s.title = read_title(v);
            else if (key == "units")
                s.units = read_ids(v);
        });
}

base::result<list_answer<unit_answer>> parse_units(std::string& body)
{
    return parse_objects<unit_answer>(body, "units", [](unit_answer& u, std::string_view key, od::value& v) {
        if (key == "id")
            u.id = read_id(v).value_or(0);
        else if (key == "lesson")
            u.lesson = read_id(v).value_or(0);
        else if (key == "position")
            u.position = read_int(v);
    });
}

base::result<list_answer<lesson_answer>> parse_lessons(std::string& body)
{
    return parse_objects<lesson_answer>(
        body, "lessons", [](lesson_answer& l, std::string_view key, od::value& v) {
            if (key == "id")
                l.id = read_id(v).value_or(0);
            else if (key == "title")
                l.title = read_title(v);
            else if (key == "steps")
                l.steps = read_ids(v);
            else if (key == "is_blank")
                l.is_blank = read_bool(v).value_or(false);
        });
}

base::result<list_answer<step_answer>> parse_steps(std::string& body)
{
    return parse_objects<step_answer>(body, "steps", [](step_answer& s, std::string_view key, od::value& v) {
        if (key == "id")
            s.id = read_id(v).value_or(0);
        else if (key == "lesson")
            s.lesson = read_id(v).value_or(0);
        else if (key == "position")
            s.position = read_int(v);
        else if (key == "block" && must(v.type()) == json_type::object)
            each_field(must(v.get_object()), [&](std::string_view name, od::value& block) {
                if (name == "name")
                    s.block = std::string(read_string(block).value_or(""));
            });
    });
}

base::result<token_answer> parse_token(const std::string& body)
{
    const auto j = nlohmann::json::parse(body, nullptr, false);
    if (!j.is_object() || !j.contains("access_token") || !j["access_token"].is_string())
        return base::fail(stepik_errc::bad_answer, "the token endpoint's answer has no access_token");
    token_answer out;
    out.access_token = j["access_token"].get<std::string>();
    // Without a lifetime: long enough to be of use, short enough to be true.
    const auto& lifetime = j.contains("expires_in") ? j["expires_in"] : nlohmann::json();
    const double seconds = lifetime.is_number() ? lifetime.get<double>() : 600;
    out.expires_in = std::chrono::seconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e7)));
    if (out.access_token.empty())
        return base::fail(stepik_errc::bad_answer, "the token endpoint's answer has an empty access_token");
    return out;
}

std::string error_detail(const std::string& body)
{
    constexpr std::size_t longest = 160;
    const auto j = body.size() > 16 * 1024 ? nlohmann::json() : nlohmann::json::parse(body, nullptr, false);
    if (!j.is_object())
        return {};
    for (const char* key : {"detail", "error"}) {
        if (!j.contains(key) || !j[key].is_string())
            continue;
        std::string text = j[key].get<std::string>();
        for (char& c : text)
            if (static_cast<unsigned char>(c) < ' ')
                c = ' ';
        if (text.size() > longest) {
            std::size_t end = longest;
            while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
                --end; // not in the middle of a character
            text.resize(end);
            text += "…";
        }
        return text;
    }
    return {};
}

} // namespace coursegate::stepik_sync
