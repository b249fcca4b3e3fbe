// Who would gain by a change of rules, of all who have an account here.
#pragma once

#include "domain/course.hpp"
#include "domain/media_map.hpp"

#include "coursegate/db/pool.hpp"

#include <map>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct gaining_person
{
    std::string email;
    std::string name;
    std::vector<std::int64_t> lessons;
};

struct rule_gains
{
    std::vector<gaining_person> people; // the first `most` by the time of their accounts
    int people_count = 0;               // all, those outside included
    int outsiders = 0;                  // who have nothing to do with the course: counted, not named
    std::map<std::int64_t, int> per_lesson;
};

// Counts lessons that have a video, for people with a Boomstream code: those that would open at once. With
// `names_everybody` outsiders are named, too. Reads some 2,000 people at a time, whatever their number.
rule_gains who_would_gain(db::transaction& tx, const course& c, const media_world& world,
    const std::vector<access_rule>& before, const std::vector<access_rule>& after, bool names_everybody,
    std::size_t most);

} // namespace coursegate::web_gateway
