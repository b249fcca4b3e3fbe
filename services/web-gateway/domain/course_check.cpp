#include "domain/course_check.hpp"

#include <algorithm>

namespace coursegate::web_gateway {

fault_weight weight_of(course_fault f)
{
    switch (f) {
    case course_fault::stepik_away:
    case course_fault::stepik_busy:
    case course_fault::boomstream_away:
    case course_fault::boomstream_unclear:
        return fault_weight::away;
    case course_fault::learners_not_visible:
        return fault_weight::note;
    case course_fault::wrong_secret:
    case course_fault::course_not_found:
    case course_fault::grade_book_not_visible:
    case course_fault::wrong_api_key:
    case course_fault::subscription_not_found:
        return fault_weight::wrong;
    }
    return fault_weight::wrong;
}

bool may_be_saved(const std::vector<course_fault>& faults, bool sure)
{
    return std::all_of(faults.begin(), faults.end(), [&](course_fault f) {
        const auto weight = weight_of(f);
        return weight == fault_weight::note || (weight == fault_weight::away && sure);
    });
}

} // namespace coursegate::web_gateway
