#include "handlers/course_checks.hpp"

#include "pages/catalogue.hpp"

#include <chrono>

namespace coursegate::web_gateway {
namespace {

using namespace std::chrono_literals;

// Within the 30 s of a request, with the last call's own deadline on top.
constexpr auto patience = 15s;
constexpr auto one_call = std::chrono::milliseconds(6000);

} // namespace

async::task<tried_keys> try_keys(course_checks& checks, course_keys_to_try keys)
{
    tried_keys out;
    auto at_stepik = co_await checks.stepik.look(std::move(keys.stepik));
    out.faults = std::move(at_stepik.faults);
    out.title = std::move(at_stepik.title);
    if (!keys.boomstream_api_key)
        co_return out;
    if (!keys.subscription) {
        const auto fault = co_await checks.boomstream.look(*keys.boomstream_api_key);
        if (fault)
            out.faults.push_back(*fault);
        co_return out;
    }
    auto at_boomstream = co_await checks.boomstream.look(*keys.boomstream_api_key, *keys.subscription);
    if (at_boomstream.fault)
        out.faults.push_back(*at_boomstream.fault);
    out.subscription_kind = std::move(at_boomstream.kind);
    co_return out;
}

async::task<std::map<std::string, subscription_view>> look_into(
    course_checks& checks, base::secret api_key, std::set<std::string> subscriptions)
{
    std::map<std::string, subscription_view> out;
    const auto until = std::chrono::steady_clock::now() + patience;
    for (const auto& code : subscriptions) {
        if (std::chrono::steady_clock::now() >= until)
            break;
        auto view = co_await checks.boomstream.videos(api_key, code, one_call);
        const bool goes_on = !view.fault || *view.fault == course_fault::subscription_not_found ||
                             *view.fault == course_fault::boomstream_unclear;
        out.emplace(code, std::move(view));
        if (!goes_on) // a wrong key, or nobody there: the next one would hear the same
            break;
    }
    co_return out;
}

std::string_view sentence_of(course_fault f)
{
    switch (f) {
    case course_fault::stepik_away:
        return say("Stepik gave no usable answer. Try again in a minute.");
    case course_fault::stepik_busy:
        return say("Stepik asks for patience. Try again in a minute.");
    case course_fault::wrong_secret:
        return say("Stepik does not accept this client id and secret. Copy both from your application at "
                   "stepik.org/oauth2/applications (client type confidential, grant type client "
                   "credentials).");
    case course_fault::course_not_found:
        return say("Stepik shows no course with this number to the owner of the application.");
    case course_fault::grade_book_not_visible:
        return say("The owner of the application may not see this course's grade book. Create the "
                   "application as the author of the course, or let the author give that right.");
    case course_fault::learners_not_visible:
        return say("Stepik does not show the list of learners to the owner of the application, so students "
                   "can't be found by e-mail. Make the owner a member of the course's staff.");
    case course_fault::boomstream_away:
        return say("Boomstream gave no usable answer. Try again in a minute.");
    case course_fault::boomstream_unclear:
        return say("Boomstream answered something that we don't understand.");
    case course_fault::wrong_api_key:
        return say("Boomstream does not accept this API key. Copy it from the settings of your project at "
                   "Boomstream.");
    case course_fault::subscription_not_found:
        return say("The project of this API key has no subscription with this code.");
    }
    return {};
}

} // namespace coursegate::web_gateway
