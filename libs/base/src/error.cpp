#include "coursegate/base/error.hpp"

#include "coursegate/base/result.hpp"

namespace coursegate::base {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "coursegate.base"; }
    std::string message(int code) const override
    {
        switch (static_cast<errc>(code)) {
        case errc::malformed:
            return "malformed text";
        case errc::unknown_key:
            return "sealed with a key that SECRET_KEY does not list";
        case errc::not_authentic:
            return "the sealed box was changed or belongs elsewhere";
        }
        return "unknown error " + std::to_string(code);
    }
};

} // namespace

const std::error_category& base_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), base_category()};
}

void throw_exception_from_error(const error& e, const boost::source_location&)
{
    throw std::system_error(e.code, e.detail);
}

} // namespace coursegate::base
