// What can be wrong with the keys of a course when they are tried on the spot.
#pragma once

#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

enum class course_fault
{
    stepik_away,            // no usable answer
    stepik_busy,            // asks for patience
    wrong_secret,           // it does not accept the application
    course_not_found,       // or not shown to the application's owner
    grade_book_not_visible, // the owner may not see who passed what
    learners_not_visible,   // the owner is not shown the list of learners
    boomstream_away,
    boomstream_unclear, // it answered, and not what we asked
    wrong_api_key,
    subscription_not_found,
};

// How much a fault matters.
enum class fault_weight
{
    wrong, // what was entered can't work
    away,  // nobody can tell now: whoever is sure may save it all the same
    note,  // works, and is worth knowing
};
fault_weight weight_of(course_fault f);

// Nothing stands in the way of saving; with `sure` what nobody can tell now does not either.
bool may_be_saved(const std::vector<course_fault>& faults, bool sure);

} // namespace coursegate::web_gateway
