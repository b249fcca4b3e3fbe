#include "clients/stepik_error.hpp"

namespace coursegate::stepik_sync {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "coursegate.stepik"; }
    std::string message(int code) const override
    {
        switch (static_cast<stepik_errc>(code)) {
        case stepik_errc::unreachable:
            return "Stepik did not answer";
        case stepik_errc::server_error:
            return "Stepik answered with an error of its own";
        case stepik_errc::rate_limited:
            return "Stepik asked for fewer requests";
        case stepik_errc::busy:
            return "no call to Stepik came free in time";
        case stepik_errc::wrong_secret:
            return "Stepik does not accept the application's id or secret";
        case stepik_errc::unreadable_key:
            return "the stored application secret can't be opened";
        case stepik_errc::token_refused:
            return "Stepik refused a fresh access token";
        case stepik_errc::forbidden:
            return "Stepik does not allow this to the application's owner";
        case stepik_errc::not_found:
            return "Stepik knows no such object";
        case stepik_errc::refused:
            return "Stepik refused the request";
        case stepik_errc::bad_answer:
            return "Stepik's answer could not be understood";
        }
        return "unknown error";
    }
};

} // namespace

const std::error_category& stepik_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(stepik_errc e) noexcept
{
    return {static_cast<int>(e), stepik_category()};
}

bool may_pass_by_itself(const base::error& e)
{
    return e.code == stepik_errc::unreachable || e.code == stepik_errc::server_error ||
           e.code == stepik_errc::rate_limited || e.code == stepik_errc::busy ||
           e.code == stepik_errc::bad_answer;
}

} // namespace coursegate::stepik_sync
