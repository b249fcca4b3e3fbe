#include "domain/world.hpp"

#include "coursegate/base/encoding.hpp"

#include <algorithm>
#include <array>

namespace coursegate::sandbox {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "sandbox.world"; }
    std::string message(int code) const override
    {
        switch (static_cast<world_errc>(code)) {
        case world_errc::taken:
            return "it exists already";
        case world_errc::unknown_course:
            return "no such course";
        case world_errc::unknown_project:
            return "no such project";
        }
        return "unknown error";
    }
};

constexpr std::array first_names{"Анна", "Мария", "Ольга", "Елена", "Дарья", "Ирина", "Вера", "Софья",
    "Алина", "Юлия", "Саша", "Женя", "Валя", "Никита", "Иван", "Пётр", "Олег", "Максим", "Тимур", "Артём",
    "Денис", "Глеб", "Роман"};
constexpr std::array last_names{"Коваленко", "Шевченко", "Бондаренко", "Черных", "Седых", "Белых", "Ткаченко",
    "Руденко", "Марченко", "Левченко", "Долгих", "Гриценко", "Павленко", "Живаго", "Дубяго", "Симоненко",
    "Франко"};

constexpr std::string_view sample_key = "sandbox-key";
constexpr std::int64_t recorded_user = 900'000'101;

} // namespace

const std::error_category& world_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(world_errc e) noexcept
{
    return {static_cast<int>(e), world_category()};
}

world::world(const base::clock& clock, sample data) : clock_(clock), data_(data)
{
    reset();
}

void world::reset()
{
    settings = {};
    faults = fault_plan{};
    calls.clear();
    random = seeded_random{};
    ids = {};
    next_student_ = first_student;
    tokens_.clear();
    codes_.clear();
    applications_.clear();
    classrooms_.clear();
    people_.clear();
    projects_.clear();

    auto room = std::make_unique<classroom>(course::parse(data_.course));
    room->project_key = sample_key;
    applications_["sandbox-client"] = {"sandbox-client", "sandbox-secret", room->course.owner};
    add_person(room->course.owner, "Автор", "Песочницы", "author@example.org");
    const auto& recorded = add_person(recorded_user, "Анна", "Примерова", "anna.primerova@example.org");
    room->grades.enrol_recorded(recorded, data_.recorded_row);
    add_project(std::string(sample_key), "Sandbox");
    film(*room);
    classrooms_.push_back(std::move(room));
}

classroom* world::find_course(std::int64_t id) const
{
    const auto at = std::ranges::find_if(classrooms_, [&](const auto& c) { return c->course.id == id; });
    return at == classrooms_.end() ? nullptr : at->get();
}

base::result<classroom*> world::add_course(const course_request& r)
{
    if (find_course(r.id) != nullptr)
        return base::fail(world_errc::taken, "course " + std::to_string(r.id));
    if (applications_.contains(r.client_id))
        return base::fail(world_errc::taken, "client_id " + r.client_id);
    const auto nth = static_cast<std::int64_t>(classrooms_.size());
    const auto& original = classrooms_.front()->course;
    auto room = std::make_unique<classroom>(
        original.clone(r.id, nth * 10'000'000, original.learners_group + nth, r.same_lessons));
    if (!r.title.empty())
        room->course.title = r.title;
    room->course.owner = original.owner + nth * 10; // an author of its own
    add_person(room->course.owner, "Автор", "Песочницы", "author" + std::to_string(nth) + "@example.org");
    applications_[r.client_id] = {r.client_id, r.client_secret, room->course.owner};
    room->project_key = r.project_key.empty() ? std::string(sample_key) : r.project_key;
    if (find_project(room->project_key) == nullptr)
        add_project(room->project_key, "Sandbox " + std::to_string(projects_.size() + 1));
    film(*room);
    classrooms_.push_back(std::move(room));
    return classrooms_.back().get();
}

const person* world::find_person(std::int64_t id) const
{
    const auto at = people_.find(id);
    return at == people_.end() ? nullptr : at->second.get();
}

const person& world::add_person(
    std::int64_t id, std::string first_name, std::string last_name, std::string email)
{
    auto& slot = people_[id];
    if (!slot)
        slot = std::make_unique<person>();
    slot->id = id;
    slot->first_name = std::move(first_name);
    slot->last_name = std::move(last_name);
    slot->email = std::move(email);
    slot->joined_at = now();
    return *slot;
}

const enrolment& world::add_student(classroom& c, const student_request& r)
{
    const auto id = r.user ? *r.user : next_student_;
    next_student_ = std::max(next_student_, id + 1);
    const auto* who = find_person(id);
    if (who == nullptr) {
        const auto n = static_cast<std::size_t>(id);
        who = &add_person(id, r.first_name.empty() ? first_names[n % first_names.size()] : r.first_name,
            r.last_name.empty() ? last_names[n % last_names.size()] : r.last_name,
            r.email.empty() ? "student." + std::to_string(id) + "@example.org" : r.email);
    }
    gradebook::enrol_options o;
    o.is_teacher = r.is_teacher;
    o.klass = r.klass;
    o.joined_at = r.joined_at.value_or(now());
    if (r.viewed)
        o.viewed_at = now();
    o.passed_lessons = r.passed_lessons;
    return c.grades.enrol(*who, o);
}

base::result<gradebook::passed> world::pass_lesson(
    classroom& c, std::int64_t user, std::int64_t lesson, int tries)
{
    const auto at = now();
    const auto staleness = std::chrono::milliseconds(settings.staleness_ms);
    auto out = c.grades.pass_lesson(user, lesson, at, staleness, tries);
    if (!out.has_value())
        return out; // refused: then nothing happens in the other courses either
    for (const auto& other : classrooms_)
        if (other.get() != &c && other->course.find_lesson(lesson) != nullptr &&
            other->grades.find(user) != nullptr)
            static_cast<void>(other->grades.pass_lesson(user, lesson, at, staleness, tries));
    return out;
}

base::result<gradebook::passed> world::pass_step(
    classroom& c, std::int64_t user, std::int64_t step, int tries)
{
    const auto at = now();
    const auto staleness = std::chrono::milliseconds(settings.staleness_ms);
    auto out = c.grades.pass_step(user, step, at, staleness, tries);
    if (!out.has_value())
        return out;
    for (const auto& other : classrooms_)
        if (other.get() != &c && other->course.find_step(step).step != nullptr &&
            other->grades.find(user) != nullptr)
            static_cast<void>(other->grades.pass_step(user, step, at, staleness, tries));
    return out;
}

const application* world::find_application(std::string_view client_id) const
{
    const auto at = applications_.find(client_id);
    return at == applications_.end() ? nullptr : &at->second;
}

std::string world::issue_token(std::int64_t account)
{
    const auto at = now();
    std::erase_if(tokens_, [&](const auto& t) { return t.second.expires_at <= at; });
    auto text = base::to_hex(base::random_bytes(15));
    tokens_[text] = {account, at + std::chrono::seconds(settings.token_seconds)};
    return text;
}

std::string world::issue_code(const application& a, std::int64_t account, std::string redirect_uri)
{
    auto text = base::to_hex(base::random_bytes(15));
    codes_[text] = {a.client_id, std::move(redirect_uri), account, now() + std::chrono::minutes(1)};
    return text;
}

std::optional<std::int64_t> world::take_code(
    std::string_view code, const application& a, std::string_view redirect_uri)
{
    const auto at = codes_.find(std::string(code));
    if (at == codes_.end())
        return std::nullopt;
    const auto given = std::move(at->second);
    codes_.erase(at);
    if (given.client_id != a.client_id || given.redirect_uri != redirect_uri || given.expires_at <= now())
        return std::nullopt;
    return given.account;
}

std::optional<std::int64_t> world::account_of(std::string_view text) const
{
    const auto at = tokens_.find(std::string(text));
    if (at == tokens_.end() || at->second.expires_at <= now())
        return std::nullopt;
    return at->second.account;
}

project* world::find_project(std::string_view key) const
{
    const auto at = std::ranges::find_if(projects_, [&](const auto& p) { return p->key() == key; });
    return at == projects_.end() ? nullptr : at->get();
}

project* world::project_with_medium(std::string_view code) const
{
    const auto at =
        std::ranges::find_if(projects_, [&](const auto& p) { return p->find_medium(code) != nullptr; });
    return at == projects_.end() ? nullptr : at->get();
}

int world::series_of(const project& p) const
{
    const auto at = std::ranges::find_if(projects_, [&](const auto& known) { return known.get() == &p; });
    return static_cast<int>(at - projects_.begin());
}

std::string world::media_code(const project& p, std::int64_t lesson) const
{
    return make_code('V', lesson, series_of(p));
}

std::string world::single_code(const project& p, std::int64_t lesson) const
{
    return make_code('S', lesson, series_of(p));
}

std::string world::group_code(const project& p) const
{
    const auto series = series_of(p);
    if (series == 0)
        return "SBXGROUP";
    return (series < 10 ? "SBXGRP0" : "SBXGRP") + std::to_string(series);
}

project& world::add_project(std::string key, std::string name)
{
    projects_.push_back(std::make_unique<project>(std::move(key), std::move(name)));
    auto& p = *projects_.back();
    subscription group;
    group.code = group_code(p);
    group.name = "Все уроки";
    group.kind = subscription_kind::group;
    group.created_at = now();
    p.add_subscription(std::move(group));
    return p;
}

void world::film(const classroom& c)
{
    auto* const p = find_project(c.project_key);
    if (p == nullptr)
        return;
    for (const auto& s : c.course.sections()) {
        for (const auto& l : s.lessons) {
            medium m;
            m.code = media_code(*p, l.id);
            if (p->find_medium(m.code) != nullptr)
                continue;
            m.title = l.title;
            m.lesson = l.id;
            m.seconds = 300 + static_cast<int>(l.id % 900);
            m.created_at = now();
            subscription single;
            single.code = single_code(*p, l.id);
            single.name = l.title;
            single.media = {m.code};
            single.created_at = now();
            const auto code = m.code;
            p->add_medium(std::move(m));
            p->add_subscription(std::move(single));
            static_cast<void>(p->attach(group_code(*p), code));
        }
    }
}

} // namespace coursegate::sandbox
